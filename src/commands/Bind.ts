/**
 * BIND: accepts one connection from the target, and relays it to the client (RFC 1928 §4, §6).
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as Phases from "../base/Phases.ts"
import {
  type ClientGone,
  CommandNotSupported,
  type DialError,
  type LimitError,
  type ResolveError
} from "../Errors.ts"
import type { Bandwidth } from "../limits/Bandwidth.ts"
import type { LimitSettings } from "../limits/Settings.ts"
import type { Binder } from "../network/Binder.ts"
import { localAddress } from "../network/Peer.ts"
import type { Ending, Relay } from "../network/Relay.ts"
import * as Authorize from "../policy/Authorize.ts"
import type { Policy } from "../policy/Policy.ts"
import type { Connecting } from "../routes/Route.ts"
import { CurrentRoute } from "../routes/Routes.ts"
import { accessOf } from "../session/States.ts"
import type { CommandContext } from "./CommandContext.ts"
import * as Connect from "./Connect.ts"
import { CommandSettings } from "./Settings.ts"

/** The client gets two replies: the address to which the target has to connect, and then the target's address. */
export const run = Effect.fnUntraced(function* (
  context: CommandContext
): Effect.fn.Return<
  Ending,
  ClientGone | CommandNotSupported | ResolveError | DialError | LimitError,
  Bandwidth | CommandSettings | Connecting | LimitSettings | Policy | Binder | Relay | Scope.Scope
> {
  const { client, admitted, chargeRule, log, succeeded } = context
  const { bind } = yield* CommandSettings
  if (!bind) return yield* new CommandNotSupported({ command: 0x02 })
  const route = yield* CurrentRoute
  const access = accessOf(admitted)
  const { host } = access.target
  const anyone = NetAddress.isIpAddress(host) && NetAddress.isUnspecified(host) ? host : undefined
  yield* Authorize.admit(anyone ? { ...access, target: undefined } : access)
  const judged = Effect.map(Phases.run("decide", Authorize.authorize(access)), (permitted) => ({
    access,
    permitted,
    chargeRule,
    log
  }))
  /** The decision about a sender, where the client named none. */
  const judge = Effect.fnUntraced(function* (sender: NetAddress.IpAddress) {
    const permitted = yield* Authorize.authorize({ ...access, target: { ...access.target, host: sender } })
    const [{ decision }] = yield* Authorize.firstWithRoom(permitted, chargeRule)
    return decision
  })
  const incoming = Effect.gen(function* () {
    const { listening, decision } = yield* route.listen(
      anyone ?? (yield* judged),
      localAddress(admitted.peer)
    )
    yield* succeeded(listening.bound)
    const target = yield* listening.accepted
    return { target, decision: decision ?? (yield* judge(target.remote.address)) }
  })
  const { target, decision } = yield* client.whileConnected(incoming)
  return yield* Connect.join(context, target, target.remote, decision)
})
