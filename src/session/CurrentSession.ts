/**
 * The session that a service works for: what a `Dialer` or a `Resolver` of one's
 * own can go by. Undefined outside of any.
 */
import * as Context from "effect/Context"
import type { Session } from "./Session.ts"

/**
 * The session that a service works for; undefined outside of any.
 *
 * **When to use**
 *
 * Use it in a service of your own, such as a `Dialer` that goes by the user.
 *
 * **Example** (The user of the session)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CurrentSession } from "effect-socks"
 *
 * const user = Effect.map(CurrentSession, (session) => session?.admitted?.identity.user)
 * ```
 */
export const CurrentSession = Context.Reference<Session | undefined>("effect-socks/session/CurrentSession", {
  defaultValue: () => undefined
})
