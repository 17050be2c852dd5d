/**
 * BIND: let the target connect to us, once, and pass that on as if the client had
 * been listening (RFC 1928 §4, §6).
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { Config } from "../config/Config.ts"
import {
  type ClientGone,
  CommandNotSupported,
  type DialError,
  type LimitError,
  type ResolveError
} from "../Errors.ts"
import type { Bandwidth } from "../limits/Bandwidth.ts"
import { Binder } from "../network/Binder.ts"
import { localAddress } from "../network/Peer.ts"
import type { Ending, Relay } from "../network/Relay.ts"
import type { Resolver } from "../network/Resolver.ts"
import * as Authorize from "../policy/Authorize.ts"
import type { Policy } from "../policy/Policy.ts"
import { accessOf } from "../session/States.ts"
import type { CommandContext } from "./CommandContext.ts"
import * as Connect from "./Connect.ts"

/** Two replies: where the target has to connect to, and where it connected from. */
export const run = Effect.fnUntraced(function* (
  order: CommandContext
): Effect.fn.Return<
  Ending,
  ClientGone | CommandNotSupported | ResolveError | DialError | LimitError,
  Bandwidth | Config | Policy | Binder | Resolver | Relay | Scope.Scope
> {
  const { client, admitted, enter, succeeded } = order
  const { bind } = yield* Config
  if (!bind) return yield* new CommandNotSupported({ command: 0x02 })
  const binder = yield* Binder
  const access = accessOf(admitted)
  const { host, ...port } = access.target
  const anyone = NetAddress.isIpAddress(host) && NetAddress.isUnspecified(host) ? host : undefined
  yield* Authorize.admit(anyone ? { ...access, target: undefined } : access)
  const permitted = Effect.fnUntraced(function* (whom: Parameters<typeof Authorize.authorize>[0]) {
    const permit = yield* Authorize.authorize(whom)
    const [first] = yield* Authorize.firstToEnter(permit, enter)
    return first
  })
  const incoming = Effect.gen(function* () {
    const expected = anyone ? { address: anyone, decision: undefined } : yield* permitted(access)
    const listening = yield* binder.listen(expected.address, localAddress(admitted.peer))
    yield* succeeded(listening.bound)
    const target = yield* listening.accepted
    // Anyone is still not everyone.
    const decision =
      expected.decision ??
      (yield* permitted({ ...access, target: { ...port, host: target.remote.address } })).decision
    return { target, decision }
  })
  const { target, decision } = yield* client.whileConnected(incoming)
  return yield* Connect.join(order, target, target.remote, decision)
})
