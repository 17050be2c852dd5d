/**
 * CONNECT-UDP: datagrams with one target, in capsules on the client's connection (RFC 9298). It is an association whose
 * client needs no port.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { CommandNotSupported, type SessionError } from "../Errors.ts"
import type { Bandwidth } from "../limits/Bandwidth.ts"
import type { LimitSettings } from "../limits/Settings.ts"
import { CurrentListener } from "../network/CurrentListener.ts"
import { localAddress } from "../network/Peer.ts"
import type { Ending } from "../network/Relay.ts"
import type { Policy } from "../policy/Policy.ts"
import type { Connecting } from "../routes/Route.ts"
import { DatagramRelay } from "../udp/DatagramRelay.ts"
import * as Associate from "./Associate.ts"
import type { CommandContext } from "./CommandContext.ts"
import * as Connect from "./Connect.ts"

/** Ends with the client's connection or stream, or after the idle timeout without datagrams. */
export const run = Effect.fnUntraced(function* (
  context: CommandContext
): Effect.fn.Return<
  Ending,
  SessionError,
  Bandwidth | CurrentListener | LimitSettings | Policy | DatagramRelay | Connecting | Scope.Scope
> {
  const { client, admitted, succeeded } = context
  const { udp, capsules = udp } = yield* CurrentListener
  const { carry } = yield* DatagramRelay
  if (!capsules || carry === undefined) return yield* new CommandNotSupported({ command: 0x03 })
  yield* Associate.carriedByRoute
  // Judged before the reply, so that the client is told; each datagram is judged as those of other associations.
  yield* client.whileConnected(Connect.judge(admitted))
  const association = yield* Associate.clientOf(context)
  const { start, idle } = yield* carry(association, admitted.request.target)
  yield* succeeded(NetAddress.inetAddressUnsafe(localAddress(admitted.peer), 0))
  const over = Effect.callback<Ending>((resume) => {
    const { transport, early } = client.detach()
    start(transport, early, (ending) => resume(Effect.succeed(ending)))
  })
  return yield* Effect.raceFirst(over, Effect.as(idle, "idle" as const))
})
