/**
 * The log of failed logins: a bounded number of lines, whatever clients do.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as ClientNetwork from "../base/ClientNetwork.ts"
import { defined } from "../base/Fields.ts"
import * as LineBudget from "../base/LineBudget.ts"
import type { AuthenticationFailed } from "../Errors.ts"

/** The fields of a failed login in the log. */
export interface FailedLogin {
  readonly client: NetAddress.SocketAddress
  readonly listener: string
  readonly protocol: string | undefined
}

/** Logs a failed login. */
export type FailedLoginLog = (error: AuthenticationFailed, login: FailedLogin) => Effect.Effect<void>

/** Log lines of failed logins in 10 seconds: of a network, and in all. */
const most: LineBudget.Most = { each: 5, all: 50 }

/** `part`, from 0 to 1, is the part of the lines that this process may write. */
export const make = (part: number): FailedLoginLog => {
  const lines = LineBudget.make(most, part)
  return Effect.fnUntraced(function* ({ _tag, user, ...details }, { client, ...where }) {
    const now = yield* Clock.currentTimeMillis
    const { isShown, leftOut } = lines.note(networkOf(client), now)
    if (leftOut > 0) yield* Effect.logWarning("more logins failed than were logged", { leftOut })
    if (!isShown) return
    const address = NetAddress.isInetAddress(client) ? NetAddress.formatHost(client) : client.path
    yield* Effect.logWarning(
      "authentication failed",
      defined({ client: address, user: shortened(user), ...where, ...details })
    )
  })
}

const networkOf = (client: NetAddress.SocketAddress): string =>
  NetAddress.isInetAddress(client) ? ClientNetwork.nameOf(client.address) : client.path

/** At most 64 characters of a name. */
const shortened = (user: string): string => {
  const short = Array.from(user)
  return short.length > 64 ? `${short.slice(0, 64).join("")}…` : user
}
