/**
 * What the admin API does beside sessions and bans, as the program and the library each offer it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { Explanation, Invalid, Level, Limit, Question, SettingRow, Upstream } from "./Api.ts"

/** A user, and whether the user may log in at present. */
export interface KnownUser {
  readonly name: string
  readonly groups: ReadonlyArray<string>
  /** Milliseconds since the epoch, from which on the user may not log in. */
  readonly expires: number | undefined
  readonly isEnabled: boolean
}

/** Users that can be changed while the server runs. */
export interface UserStore {
  readonly add: (user: {
    readonly name: string
    readonly password: Redacted.Redacted
    readonly groups: ReadonlyArray<string>
  }) => Effect.Effect<void, Invalid>
  /** Returns false if there is no user of this name. */
  readonly remove: (name: string) => Effect.Effect<boolean>
  /** Returns false if there is no user of this name. */
  readonly enable: (name: string, isEnabled: boolean) => Effect.Effect<boolean>
}

/** What is left out is refused as not offered. */
export class Operations extends Context.Service<
  Operations,
  {
    readonly version: string
    /** The settings in force, with secrets masked. */
    readonly config: Effect.Effect<ReadonlyArray<SettingRow>>
    readonly limits: Effect.Effect<ReadonlyArray<Omit<Limit, "used">>>
    readonly users: Effect.Effect<ReadonlyArray<KnownUser>>
    readonly userStore?: UserStore | undefined
    readonly explain?: ((question: Question) => Effect.Effect<Explanation, Invalid>) | undefined
    /** Fails with the reason if the earlier settings stay in force. */
    readonly reload?: Effect.Effect<void, Invalid> | undefined
    /** Begins a graceful stop. */
    readonly stop?: Effect.Effect<void> | undefined
    readonly logLevel?:
      | {
          readonly get: Effect.Effect<string>
          readonly set: (level: Level) => Effect.Effect<void, Invalid>
        }
      | undefined
  }
>()("effect-socks/admin/Operations") {}

/** The health of the upstreams that routes lead to. */
export const Upstreams = Context.Reference<Effect.Effect<ReadonlyArray<Upstream>> | undefined>(
  "effect-socks/admin/Upstreams",
  { defaultValue: () => undefined }
)
