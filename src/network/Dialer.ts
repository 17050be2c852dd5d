/**
 * Connecting to an address.
 */
import { connect, type Socket } from "node:net"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as Deadline from "../base/Deadline.ts"
import {
  AddressFamilyUnavailable,
  ConnectFailed,
  ConnectionRefused,
  ConnectTimeout,
  type DialError,
  HostUnreachable,
  NetworkUnreachable,
  NotAllowed,
  OutOfResources
} from "../Errors.ts"
import { fromNode } from "./NodeAddress.ts"
import * as NodeTransport from "./NodeTransport.ts"
import { NetworkSettings } from "./Settings.ts"
import type { Transport } from "./Transport.ts"

/** A connection to a target. */
export interface Outgoing {
  readonly transport: Transport
  /** This end's address, which the client is told as BND.ADDR and BND.PORT. */
  readonly local: NetAddress.InetAddress
  /** The address that answered. */
  readonly remote: NetAddress.InetAddress
}

export class Dialer extends Context.Service<
  Dialer,
  {
    /**
     * Connects to just this address: what was judged is what is dialled, and
     * nothing is resolved again. The connection closes with the scope.
     */
    readonly connect: (
      address: NetAddress.IpAddress,
      port: number
    ) => Effect.Effect<Outgoing, DialError, Scope.Scope>
  }
>()("effect-socks/network/Dialer") {
  /** TCP. */
  static readonly layer: Layer.Layer<Dialer, never, NetworkSettings> = Layer.effect(
    Dialer,
    Effect.map(NetworkSettings, ({ connectTimeout }) => ({
      connect: (address, port) => attempt(address, port, connectTimeout)
    }))
  )
}

const timeout = Effect.fail(new ConnectTimeout())

/**
 * A literal address leaves nothing to resolve, so what answers is what was
 * judged, and asking the socket for its peer would only cost a system call.
 */
const attempt = (
  address: NetAddress.IpAddress,
  port: number,
  within: Duration.Duration
): Effect.Effect<Outgoing, DialError, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) => {
    const socket = connect({
      host: NetAddress.formatIp(address),
      port,
      allowHalfOpen: true,
      noDelay: true,
      // Node's own choice among addresses drops a good but slow one after 250 ms.
      autoSelectFamily: false
    })
    const closing = Effect.sync(() => socket.destroy())
    return Effect.andThen(
      Scope.addFinalizer(Context.get(context, Scope.Scope), closing),
      connected(socket, NetAddress.inetAddressUnsafe(address, port), within)
    )
  })

const connected = (
  socket: Socket,
  remote: NetAddress.InetAddress,
  within: Duration.Duration
): Effect.Effect<Outgoing, DialError> =>
  Effect.withFiber((fiber) =>
    Effect.callback((resume) => {
      const callOff = Deadline.after(fiber, within, () => {
        socket.destroy()
        resume(timeout)
      })
      const failed = (error: NodeJS.ErrnoException) => {
        callOff()
        resume(Effect.fail(fromCode(error.code)))
      }
      socket.on("error", failed)
      socket.once("connect", () => {
        callOff()
        const transport = NodeTransport.make(socket)
        // This one would keep all that was here.
        socket.off("error", failed)
        const { localAddress, localPort } = socket
        resume(
          localAddress === undefined
            ? // A peer that resets at once can leave a connected socket without an address.
              Effect.fail(new ConnectionRefused())
            : Effect.succeed({ transport, local: fromNode(localAddress, localPort!), remote })
        )
      })
      return Effect.sync(() => {
        callOff()
        socket.destroy()
      })
    })
  )

/** What a system error code of `connect` means to a client. */
export const fromCode = (code = "unknown"): DialError => codes[code]?.(code) ?? new ConnectFailed({ code })

const outOfResources = (code: string) => new OutOfResources({ code })

const codes: Readonly<Record<string, (code: string) => DialError>> = {
  ECONNREFUSED: () => new ConnectionRefused(),
  ECONNRESET: () => new ConnectionRefused(),
  ENETUNREACH: () => new NetworkUnreachable(),
  ENETDOWN: () => new NetworkUnreachable(),
  EHOSTUNREACH: () => new HostUnreachable(),
  EHOSTDOWN: () => new HostUnreachable(),
  ETIMEDOUT: () => new ConnectTimeout(),
  EAFNOSUPPORT: () => new AddressFamilyUnavailable(),
  // The system's own firewall.
  EACCES: () => new NotAllowed({ reason: "the system does not permit it" }),
  EPERM: () => new NotAllowed({ reason: "the system does not permit it" }),
  EMFILE: outOfResources,
  ENFILE: outOfResources,
  ENOBUFS: outOfResources,
  ENOMEM: outOfResources,
  EADDRNOTAVAIL: outOfResources
}
