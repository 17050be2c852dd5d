/**
 * The service that relays datagrams for associations (RFC 1928 §7).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { PortRange } from "../config/Parsers.ts"
import { OutOfResources } from "../Errors.ts"
import type { Ending } from "../network/Relay.ts"
import type { Transport } from "../network/Transport.ts"
import type { UdpSocket, UdpSockets as UdpSocketsService } from "../network/UdpSocket.ts"
import { UdpSockets } from "../network/UdpSockets.ts"
import type { Policy } from "../policy/Policy.ts"
import type { Connecting } from "../routes/Route.ts"
import type { Target } from "../wire/Target.ts"
import * as Association from "./Association.ts"
import { CapsuleSocket } from "./CapsuleSocket.ts"
import * as DatagramBudget from "./DatagramBudget.ts"
import { untilIdle } from "./IdleTimeout.ts"
import { UdpSettings } from "./Settings.ts"

/** The relay of a client's datagrams. */
export interface Relayed {
  /** The address to which the client sends its datagrams. */
  readonly bound: NetAddress.InetAddress
  /** Ends when no datagram was relayed, in either direction, for the idle timeout. */
  readonly idle: Effect.Effect<void>
}

/** The relay of datagrams in capsules. */
export interface Carried {
  /**
   * Takes over the client's connection, paused, and the bytes that were read from it. Calls `over` when the client has ended
   * it, or sends what is no capsule.
   */
  readonly start: (transport: Transport, early: Uint8Array, over: (ending: Ending) => void) => void
  /** Ends when no datagram was relayed, in either direction, for the idle timeout. */
  readonly idle: Effect.Effect<void>
}

/**
 * Relays datagrams, for UDP ASSOCIATE and CONNECT-UDP.
 *
 * **When to use**
 *
 * Replace it to count or refuse datagrams, or to send datagrams by other means.
 *
 * **Example** (A relay that has no port)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { DatagramRelay, Errors, Server } from "effect-socks"
 *
 * const NoPorts = Layer.succeed(DatagramRelay, {
 *   associate: () => Effect.fail(new Errors.OutOfResources({ code: "EMFILE" }))
 * })
 *
 * const ProxyLive = Server.layer().pipe(Layer.provide(NoPorts))
 * ```
 */
export class DatagramRelay extends Context.Service<
  DatagramRelay,
  {
    /**
     * Relays the client's datagrams by a port of its own at the `local` address, until the scope closes. Fails without
     * a free port.
     */
    readonly associate: (
      client: Association.Client,
      local: NetAddress.IpAddress
    ) => Effect.Effect<Relayed, OutOfResources, Policy | Connecting | Scope.Scope>
    /**
     * Relays datagrams between a client and one target in capsules on the client's connection, until the scope closes. Left
     * out where there are no capsules: CONNECT-UDP is refused then.
     */
    readonly carry?: (
      client: Omit<Association.Client, "address" | "port">,
      target: Target
    ) => Effect.Effect<Carried, never, Policy | Connecting | Scope.Scope>
  }
>()("effect-socks/udp/DatagramRelay") {
  /** UDP. */
  static readonly layer: Layer.Layer<DatagramRelay, never, UdpSettings> = Layer.effect(
    DatagramRelay,
    Effect.gen(function* () {
      const settings = yield* UdpSettings
      const sockets = yield* UdpSockets
      const ports = portsOf(settings.udpPorts, sockets)
      const rooms = DatagramBudget.make()
      return {
        associate: (client, local) =>
          Effect.gen(function* () {
            const socket = yield* Effect.acquireRelease(ports.take(local), ports.giveBack)
            const room = yield* rooms.enter(client.owner)
            const association = yield* Association.make(client, settings, socket, room)
            socket.receiver = association.receiver
            return {
              bound: NetAddress.inetAddressUnsafe(local, socket.port),
              idle: untilIdle(association.movedAt, settings.udpIdleTimeout)
            }
          }).pipe(Effect.provideService(UdpSockets, sockets)),
        carry: (client, target) =>
          Effect.gen(function* () {
            const room = yield* rooms.enter(client.owner)
            const socket = new CapsuleSocket(target, sockets.endpoint(inCapsules))
            // Only the target sends, and it sends whole datagrams.
            const rules = { ...settings, udpFullCone: false, udpFragments: false }
            const association = yield* Association.make({ ...client, ...inCapsules }, rules, socket, room)
            socket.receiver = association.receiver
            yield* Effect.addFinalizer(() => Effect.sync(() => socket.close()))
            const carried: Carried = {
              start: (transport, early, over) => socket.start(transport, early, over),
              idle: untilIdle(association.movedAt, settings.udpIdleTimeout)
            }
            return carried
          }).pipe(Effect.provideService(UdpSockets, sockets))
      }
    })
  )
}

/** What stands for the address of a client that sends capsules: an association takes datagrams from one address only. */
const inCapsules = NetAddress.inetAddressUnsafe(NetAddress.ipv4Loopback, 1)

/** The relay ports: of the range, or chosen by the system. */
const portsOf = (range: PortRange | "any", { bind }: UdpSocketsService) => {
  const taken = new Set<number>()
  return {
    /** Tries the ports of the range from a random port on, so that ports cannot be predicted. */
    take: Effect.fnUntraced(function* (
      local: NetAddress.IpAddress
    ): Effect.fn.Return<UdpSocket, OutOfResources> {
      const [first, last] = range === "any" ? [0, 0] : range
      const count = last - first + 1
      const start = yield* Random.nextIntBetween(0, count, { halfOpen: true })
      let failure = "EADDRINUSE"
      for (let i = 0; i < count && failure === "EADDRINUSE"; i++) {
        const port = first + ((start + i) % count)
        if (taken.has(port)) continue
        const socket = bind(local, port)
        if (typeof socket === "string") failure = socket
        else {
          if (port !== 0) taken.add(port)
          return socket
        }
      }
      return yield* new OutOfResources({ code: failure })
    }),
    giveBack: (socket: UdpSocket) =>
      Effect.sync(() => {
        taken.delete(socket.port)
        socket.close()
      })
  }
}
