/**
 * UDP ASSOCIATE: a port for the client's datagrams, for as long as its TCP
 * connection stays (RFC 1928 §7).
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { CommandNotSupported, NotAllowed, type OutOfResources, RouteUnable } from "../Errors.ts"
import { Bandwidth } from "../limits/Bandwidth.ts"
import { ownerOf } from "../limits/LimitKeys.ts"
import * as SessionBandwidth from "../limits/SessionBandwidth.ts"
import { LimitSettings } from "../limits/Settings.ts"
import { CurrentListener } from "../network/CurrentListener.ts"
import { localAddress } from "../network/Peer.ts"
import type { Ending } from "../network/Relay.ts"
import * as Authorize from "../policy/Authorize.ts"
import type { Policy } from "../policy/Policy.ts"
import type { Connecting } from "../routes/Route.ts"
import { CurrentRoute } from "../routes/Routes.ts"
import { accessOf } from "../session/States.ts"
import type { Client } from "../udp/Association.ts"
import { DatagramRelay } from "../udp/DatagramRelay.ts"
import { UdpSettings } from "../udp/Settings.ts"
import * as Target from "../wire/Target.ts"
import type { CommandContext } from "./CommandContext.ts"

/** Fails if no route can carry datagrams. */
export const carriedByRoute: Effect.Effect<void, RouteUnable> = Effect.flatMap(CurrentRoute, (route) =>
  route.carriesDatagrams === false
    ? Effect.fail(new RouteUnable({ reason: "no route carries datagrams" }))
    : Effect.void
)

/** The association ends with its TCP connection, or after the idle timeout without datagrams. */
export const run = Effect.fnUntraced(function* (
  context: CommandContext
): Effect.fn.Return<
  Ending,
  CommandNotSupported | NotAllowed | OutOfResources | RouteUnable,
  | Bandwidth
  | CurrentListener
  | LimitSettings
  | UdpSettings
  | Policy
  | DatagramRelay
  | Connecting
  | Scope.Scope
> {
  const { client, admitted, succeeded } = context
  const { udp } = yield* CurrentListener
  const { udpStrict, advertise } = yield* UdpSettings
  if (!udp) return yield* new CommandNotSupported({ command: 0x03 })
  yield* carriedByRoute
  const { peer, request } = admitted
  // A client of a Unix-domain socket has no IP address from which it could send datagrams.
  if (!NetAddress.isInetAddress(peer.remote)) return yield* new CommandNotSupported({ command: 0x03 })
  const { address } = peer.remote
  yield* Authorize.admit({ ...accessOf(admitted), target: undefined })
  const port = declaredPort(request.target, address)
  if (udpStrict && port === 0) {
    return yield* new NotAllowed({ reason: "the port that datagrams will come from is not declared" })
  }
  const { bound, idle } = yield* (yield* DatagramRelay).associate(
    { ...(yield* clientOf(context)), address, port },
    // Only this address, and not all addresses of the machine: answers must come from the address to which the client
    // sends its datagrams.
    localAddress(peer)
  )
  yield* succeeded(advertise === "bound" ? bound : NetAddress.inetAddressUnsafe(advertise, bound.port))
  return yield* Effect.raceFirst(client.hungUp, Effect.as(idle, "idle" as const))
})

/** The client of an association, with its limits and counters. */
export const clientOf = Effect.fnUntraced(function* ({
  admitted,
  log,
  chargeRule
}: CommandContext): Effect.fn.Return<
  Omit<Client, "address" | "port">,
  never,
  Bandwidth | LimitSettings | Scope.Scope
> {
  const pace = yield* SessionBandwidth.of(admitted)
  const bandwidth = yield* Bandwidth
  const limits = yield* LimitSettings
  return {
    access: {
      ...accessOf(admitted),
      // Each datagram has a target of its own.
      target: undefined,
      // A getter, because `Revalidation` can replace the identity.
      get identity() {
        return admitted.identity
      }
    },
    owner: ownerOf(admitted).key,
    traffic: log.traffic,
    log,
    pace,
    chargeRule: (decision, traffic) =>
      Effect.andThen(
        chargeRule(decision, traffic),
        Effect.provideService(SessionBandwidth.ofRule(decision), Bandwidth, bandwidth)
      ).pipe(Effect.provideService(LimitSettings, limits))
  }
})

/**
 * The port from which the client says that it will send datagrams; 0 if the client does not say. A client that names an
 * address other than its own is behind NAT, which changes ports, too: its port is ignored.
 */
const declaredPort = ({ host, port }: Target.Target, address: NetAddress.IpAddress): number =>
  Target.format({ host, port: 0 }) === Target.format({ host: address, port: 0 }) ? port : 0
