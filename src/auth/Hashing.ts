/**
 * Computes password hashes in threads of low priority, off the event loop.
 *
 * **When to use**
 *
 * Use `Hashing.hash` to make the hash of a password for `passwordHash`, and `Hashing.layer` for the service
 * `PasswordHashes` outside of a server.
 *
 * **Example** (Hashing a password)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Hashing } from "effect-socks"
 *
 * const hashed = Effect.gen(function* () {
 *   return yield* Hashing.hash(new TextEncoder().encode("secret"), 15)
 * })
 * ```
 */
import { scrypt as deriveKey, randomBytes, timingSafeEqual } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Hmac from "../base/Hmac.ts"
import * as HashingThreads from "./HashingThreads.ts"
import * as LoginQueue from "./LoginQueue.ts"
import { memory, type PasswordHash, type Scrypt } from "./PasswordHash.ts"
import { PasswordHashes } from "./PasswordHashes.ts"

/** The number of threads: each computes one hash at a time. */
const threads = 2

/** The number of logins that can wait. */
const waiting = 64

export const layer: Layer.Layer<PasswordHashes> = Layer.effect(
  PasswordHashes,
  Effect.gen(function* () {
    const ask = yield* HashingThreads.make
    const gate = LoginQueue.make(threads, waiting)
    return {
      digest: Hmac.digest(Hmac.newKey()),
      verify: (password, hash, more = []) =>
        gate(
          Effect.map(ask([hash, ...more].map((each) => questionOf(password, each))), ([answer]) =>
            isRight(password, hash, answer!)
          )
        )
    }
  })
)

const questionOf = (password: Uint8Array, hash: PasswordHash): HashingThreads.Question =>
  hash._tag === "Bcrypt"
    ? { _tag: "Bcrypt", password: lenient.decode(password), hash: hash.text }
    : { _tag: "Scrypt", password, salt: hash.salt, length: hash.key.length, options: optionsOf(hash) }

const isRight = (password: Uint8Array, hash: PasswordHash, answer: HashingThreads.Answer): boolean => {
  // HMAC ignores NULs at the end of a password (RFC 2104 §2).
  if (hash._tag === "Scrypt") return timingSafeEqual(answer as Uint8Array, hash.key) && password.at(-1) !== 0
  // bcrypt repeats the password and a NUL up to 72 bytes, so `a` and `a\0a` have the same hash. Invalid UTF-8 would
  // become the same text.
  return answer === true && !password.includes(0) && Buffer.from(lenient.decode(password)).equals(password)
}

const lenient = new TextDecoder("utf-8", { ignoreBOM: true })

const optionsOf = ({ ln, r, p }: Pick<Scrypt, "ln" | "r" | "p">) => ({
  ...{ N: 2 ** ln, r, p },
  maxmem: 2 * memory({ ln, r, p })
})

/** A new scrypt hash of a password, with the parameters of OWASP's Password Storage Cheat Sheet for this `ln`. */
export const hash = Effect.fnUntraced(function* (password: Uint8Array, ln: Cost) {
  const parameters = { ln, r: 8, p: parallelization[ln], salt: randomBytes(16) }
  const key = yield* derive(password, parameters, 32)
  return { _tag: "Scrypt", ...parameters, key } satisfies Scrypt
})

/** The parameter p for each `ln`: 32 MiB three times, 64 MiB twice or 128 MiB once take about the same time. */
const parallelization = { 15: 3, 16: 2, 17: 1 } as const

/** The binary logarithm of scrypt's cost N. */
export type Cost = keyof typeof parallelization

export const costs: ReadonlyArray<Cost> = [15, 16, 17]

/** The cost of the hashes that a server makes. */
export const usualCost: Cost = 15

/** Computes a scrypt key in Node's thread pool: for the command line, not for logins. */
const derive = (
  password: Uint8Array,
  { salt, ...parameters }: Pick<Scrypt, "ln" | "r" | "p" | "salt">,
  length: number
): Effect.Effect<Buffer> =>
  Effect.uninterruptible(
    Effect.callback((resume) => {
      deriveKey(password, salt, length, optionsOf(parameters), (error, key) =>
        resume(error ? Effect.die(error) : Effect.succeed(key))
      )
    })
  )
