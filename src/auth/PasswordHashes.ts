/**
 * What it takes to tell whether a password is right, without having it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { TooManyLogins } from "../Errors.ts"
import type { PasswordHash } from "./PasswordHash.ts"

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
