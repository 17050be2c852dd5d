/**
 * What it takes to tell whether a password is right, without having it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { TooManyLogins } from "../Errors.ts"
import type { PasswordHash } from "./PasswordHash.ts"

/**
 * How a password is compared with a hash.
 *
 * **When to use**
 *
 * Provide one to a server to compute hashes elsewhere than in threads of this process.
 *
 * **Example** (A server without hashes)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { PasswordHashes, Server } from "effect-socks"
 *
 * // Where no user has a hash, none is computed.
 * const NoHashes = Layer.succeed(PasswordHashes, { digest: () => "", verify: () => Effect.succeed(false) })
 *
 * const ProxyLive = Server.layer().pipe(Layer.provide(NoHashes))
 * ```
 */
export class PasswordHashes extends Context.Service<
  PasswordHashes,
  {
    /**
     * Whether this is the password that the hash was made of. `more` are computed too, for the time that
     * they take. Takes long, so it fails where too many wait for it.
     */
    readonly verify: (
      password: Uint8Array,
      hash: PasswordHash,
      more?: ReadonlyArray<PasswordHash>
    ) => Effect.Effect<boolean, TooManyLogins>
    /** A name for these parts, in this order, which tells nothing of them: of a key that only this process has. */
    readonly digest: (...parts: ReadonlyArray<Uint8Array>) => string
  }
>()("effect-socks/auth/PasswordHashes") {}
