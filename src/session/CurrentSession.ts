/**
 * The session that a service works for: what a `Dialer` or a `Resolver` of one's
 * own can go by. Undefined outside of any.
 */
import * as Context from "effect/Context"
import type { Session } from "./Session.ts"

export const CurrentSession = Context.Reference<Session | undefined>("effect-socks/session/CurrentSession", {
  defaultValue: () => undefined
})
