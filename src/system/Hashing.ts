/**
 * Hashes of passwords, computed where they hold nobody up: scrypt in Node's pool
 * of four threads, of which two are left to files and names, and bcrypt in a
 * thread of its own.
 */
import { scrypt as deriveKey, randomBytes, timingSafeEqual } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { memory, type Scrypt } from "../config/PasswordHash.ts"
import * as Gate from "../policy/Gate.ts"
import { PasswordHashes } from "../policy/PasswordHashes.ts"
import * as BcryptThread from "./BcryptThread.ts"
import * as Hmac from "./Hmac.ts"

/** Logins that may wait for each kind of hash. */
const waiting = 64

export const layer: Layer.Layer<PasswordHashes> = Layer.effect(
  PasswordHashes,
  Effect.gen(function* () {
    const bcrypt = yield* BcryptThread.make
    const pool = Gate.make(2, waiting)
    const thread = Gate.make(1, waiting)
    return {
      digest: Hmac.digest(Hmac.newKey()),
      verify: (password, hash) =>
        hash._tag === "Bcrypt"
          ? thread(bcrypt(password, hash.text))
          : pool(
              Effect.map(
                derive(password, hash, hash.key.length),
                // HMAC takes NULs behind a password for none (RFC 2104 §2).
                (derived) => timingSafeEqual(derived, hash.key) && password.at(-1) !== 0
              )
            )
    }
  })
)

/** A new hash of a password, of the cost that OWASP's Password Storage Cheat Sheet has for this much memory. */
export const hash = Effect.fnUntraced(function* (password: Uint8Array, ln: Cost) {
  const parameters = { ln, r: 8, p: parallelization[ln], salt: randomBytes(16) }
  const key = yield* derive(password, parameters, 32)
  return { _tag: "Scrypt", ...parameters, key } satisfies Scrypt
})

/** Each takes about as long as the others: 32 MiB three times, 64 MiB twice or 128 MiB once. */
const parallelization = { 15: 3, 16: 2, 17: 1 } as const

/** The cost N of scrypt as its binary logarithm. */
export type Cost = keyof typeof parallelization

export const costs: ReadonlyArray<Cost> = [15, 16, 17]

/** Nothing stops it once it runs, so whoever waits for it keeps their place in the pool until it ends. */
const derive = (
  password: Uint8Array,
  { salt, ...parameters }: Pick<Scrypt, "ln" | "r" | "p" | "salt">,
  length: number
): Effect.Effect<Buffer> => {
  const { ln, r, p } = parameters
  const options = { N: 2 ** ln, r, p, maxmem: 2 * memory(parameters) }
  return Effect.uninterruptible(
    Effect.callback((resume) => {
      deriveKey(password, salt, length, options, (error, key) =>
        resume(error ? Effect.die(error) : Effect.succeed(key))
      )
    })
  )
}
