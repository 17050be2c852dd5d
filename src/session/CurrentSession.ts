/**
 * The session in whose fiber a service is called: a custom `Dialer` or `Resolver` can read it. Undefined outside of a
 * session.
 */
import * as Context from "effect/Context"
import type { Session } from "./Session.ts"

/**
 * The session that a service works for; undefined outside of a session.
 *
 * **When to use**
 *
 * Use it in a service of your own, such as a `Dialer` that depends on the user.
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
