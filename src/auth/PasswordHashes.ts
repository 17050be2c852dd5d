/**
 * The service that checks passwords against hashes.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { TooManyLogins } from "../Errors.ts"
import type { PasswordHash } from "./PasswordHash.ts"

/**
 * Compares passwords with hashes.
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
     * Whether the hash is of this password. The hashes in `more` are computed as well, for equal time, and their
     * results are ignored. Fails where too many checks wait.
     */
    readonly verify: (
      password: Uint8Array,
      hash: PasswordHash,
      more?: ReadonlyArray<PasswordHash>
    ) => Effect.Effect<boolean, TooManyLogins>
    /** A keyed hash of these parts, in this order, with a secret key of this process. */
    readonly digest: (...parts: ReadonlyArray<Uint8Array>) => string
  }
>()("effect-socks/auth/PasswordHashes") {}
