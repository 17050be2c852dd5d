/**
 * Password hashes, in two formats:
 *
 *     $scrypt$ln=15,r=8,p=3$SALT$KEY    RFC 7914, in the PHC string format; Base64 without padding
 *     $2y$10$…                          bcrypt, as htpasswd -B makes it; also $2a$ and $2b$
 *
 * Other formats are refused: their passwords are guessed too fast, or the format is not supported.
 */
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"

export type PasswordHash = Scrypt | Bcrypt

export interface Scrypt {
  readonly _tag: "Scrypt"
  /** The binary logarithm of the cost N. */
  readonly ln: number
  readonly r: number
  readonly p: number
  readonly salt: Uint8Array
  readonly key: Uint8Array
}

export interface Bcrypt {
  readonly _tag: "Bcrypt"
  /** The binary logarithm of the number of rounds. */
  readonly cost: number
  readonly text: string
}

/** Parses a hash. Fails with a clause about the text that has no part of the text, which may be a password. */
export const fromString = (text: string): Result.Result<PasswordHash, string> => {
  const bcrypt = /^\$2[aby]\$(\d\d)\$[./\dA-Za-z]{53}$/.exec(text)
  if (bcrypt) return fromBcrypt(text, Number(bcrypt[1]))
  if (text.startsWith("$scrypt$")) return fromPhc(text)
  return Result.fail(others.find(([pattern]) => pattern.test(text))?.[1] ?? "its format is unknown")
}

/** The text of a hash, as `fromString` reads it. */
export const format = (hash: PasswordHash): string =>
  hash._tag === "Bcrypt"
    ? hash.text
    : `$scrypt$ln=${hash.ln},r=${hash.r},p=${hash.p}$${unpadded(hash.salt)}$${unpadded(hash.key)}`

/** Bytes of memory for computing an scrypt hash. */
export const memory = ({ ln, r, p }: Pick<Scrypt, "ln" | "r" | "p">): number => 128 * r * (2 ** ln + p)

/** The work of computing a hash: rounds for bcrypt, mixed blocks for scrypt. The two units cannot be compared. */
export const work = (hash: PasswordHash): number =>
  hash._tag === "Bcrypt" ? 2 ** hash.cost : 2 ** hash.ln * hash.r * hash.p

/** The most expensive hashes: at most one of scrypt and one of bcrypt. */
export type Dearest = Map<PasswordHash["_tag"], PasswordHash>

/** Takes a hash into account. */
export const compare = (dearest: Dearest, hash: PasswordHash): void => {
  const before = dearest.get(hash._tag)
  if (before === undefined || work(hash) > work(before)) dearest.set(hash._tag, hash)
}

export const decoysOf = (dearest: Dearest): ReadonlyArray<PasswordHash> => [...dearest.values()].map(decoyOf)

/** The hashes to compute in addition to `own`, so that every login takes the work of all hashes in `dearest`. */
export const padding = (
  own: PasswordHash,
  dearest: ReadonlyArray<PasswordHash>
): ReadonlyArray<PasswordHash> =>
  dearest.flatMap((decoy): ReadonlyArray<PasswordHash> => {
    if (decoy._tag === "Scrypt") return own._tag === "Scrypt" ? scryptUpTo(decoy, work(own)) : [decoy]
    return own._tag === "Bcrypt" ? bcryptUpTo(decoy, own.cost) : [decoy]
  })

/** Hashes of each cost from `cost` to below the decoy's: 2^cost and all of them add up to the decoy's rounds. */
const bcryptUpTo = (decoy: Bcrypt, cost: number): ReadonlyArray<Bcrypt> =>
  Array.from({ length: Math.max(0, decoy.cost - cost) }, (_, index) => ({
    _tag: "Bcrypt",
    cost: cost + index,
    text: `${decoy.text.slice(0, 4)}${String(cost + index).padStart(2, "0")}${decoy.text.slice(6)}`
  }))

/** Few, large hashes for the work between `done` and the decoy's; a rest below a hundredth is left out. */
const scryptUpTo = (decoy: Scrypt, done: number): ReadonlyArray<Scrypt> => {
  const pieces: Array<Scrypt> = []
  let rest = work(decoy) - done
  for (let ln = decoy.ln; ln > 0 && rest * 100 >= work(decoy); ln--) {
    const p = Math.floor(rest / (2 ** ln * decoy.r))
    if (p > 0) pieces.push({ ...decoy, ln, p })
    rest -= p * 2 ** ln * decoy.r
  }
  return pieces
}

/** A hash that takes as long to compute as this hash, and has no known password. */
export const decoyOf = (hash: PasswordHash): PasswordHash =>
  hash._tag === "Bcrypt"
    ? { ...hash, text: `${hash.text.slice(0, 7)}${".".repeat(53)}` }
    : { ...hash, salt: new Uint8Array(hash.salt.length), key: new Uint8Array(hash.key.length) }

/** The most bytes of memory for one hash: two threads compute hashes at the same time. */
const mostMemory = 256 * 2 ** 20

/** The most mixed blocks of one scrypt hash: about two seconds. */
const mostWork = 2 ** 22

/** The highest cost of bcrypt: about four seconds. */
const mostRounds = 15

const tooCostly = "it takes more time or memory than a login may"

const fromBcrypt = (text: string, cost: number): Result.Result<Bcrypt, string> =>
  cost >= 4 && cost <= mostRounds
    ? Result.succeed({ _tag: "Bcrypt", cost, text })
    : Result.fail(cost < 4 ? "its cost is below 4, the least of bcrypt" : tooCostly)

const fromPhc = (text: string): Result.Result<Scrypt, string> => {
  const [, ...parts] =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([\dA-Za-z+/]+)\$([\dA-Za-z+/]+)$/.exec(text) ?? []
  const [ln = 0, r = 0, p = 0] = parts.slice(0, 3).map(Number)
  const [salt, key] = parts.slice(3).map(padded)
  if (!salt || !key || ln < 1 || r < 1 || p < 1) return Result.fail("it is an incomplete scrypt hash")
  if (memory({ ln, r, p }) > mostMemory || 2 ** ln * r * p > mostWork) return Result.fail(tooCostly)
  if (salt.length < 8 || salt.length > 64 || key.length < 16 || key.length > 64) {
    return Result.fail("its salt must have 8 to 64 bytes, and its key 16 to 64")
  }
  return Result.succeed({ _tag: "Scrypt", ln, r, p, salt, key })
}

const unpadded = (bytes: Uint8Array): string => Base64.encode(bytes).replace(/=+$/, "")

const padded = (text: string): Uint8Array | undefined =>
  Result.getOrUndefined(Base64.decode(text + "=".repeat(-text.length & 3)))

const others: ReadonlyArray<readonly [pattern: RegExp, name: string]> = [
  [/^\$(apr1|1)\$/, "it is MD5, which is guessed too fast"],
  [/^\{SHA\}/, "it is SHA-1, which is guessed too fast"],
  [/^\$[56]\$/, "it is crypt(3) with SHA-2, which is not supported"],
  [/^\$argon2/, "it is Argon2, which is not supported"],
  [/^\$y\$|^\$7\$|^\$gy\$/, "it is yescrypt, which is not supported"],
  [/^\$2/, "it is an incomplete bcrypt hash"],
  [/^[./\dA-Za-z]{13}$/, "it is crypt(3) with DES, which is guessed too fast"],
  [/^[^${]/, "it is a password in plain text"]
]
