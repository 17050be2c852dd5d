/**
 * The service that connects to targets.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Deadline from "../base/Deadline.ts"
import {
  AddressFamilyUnavailable,
  ConnectFailed,
  ConnectionRefused,
  ConnectTimeout,
  type DialError,
  EgressUnavailable,
  HostUnreachable,
  NetworkUnreachable,
  NotAllowed,
  OutOfResources
} from "../Errors.ts"
import { Nat64 } from "./Nat64.ts"
import { NetworkSettings } from "./Settings.ts"
import { Sockets } from "./Sockets.ts"
import { CurrentSource } from "./Source.ts"
import type { Sockets as SocketsService, Transport } from "./Transport.ts"

/** A connection to a target. */
export interface Outgoing {
  readonly transport: Transport
  /** The local address, which the reply has as BND.ADDR and BND.PORT. */
  readonly local: NetAddress.InetAddress
  /** The target's address. */
  readonly remote: NetAddress.InetAddress
  /** Bytes of the target that were read already, behind the answer of an upstream. */
  readonly early?: Uint8Array | undefined
  /** The way of the connection, for the log; left out by a dialer that knows one way only. */
  readonly way?: Way | undefined
  /** Set if the connection leads to an upstream that takes requests in absolute form in place of the target. */
  readonly upstream?: HttpUpstream | undefined
}

/** An upstream that takes HTTP requests in absolute form (RFC 9112 §3.2.2). */
export interface HttpUpstream {
  /** The URL, without a password. */
  readonly url: string
  /** The value of Proxy-Authorization. */
  readonly authorization: Redacted.Redacted | undefined
}

/** The way of a connection to a target. */
export interface Way {
  /** The name of the route. */
  readonly route: string
  /** The member of the route's pool. */
  readonly member?: string | undefined
  /**
   * The address from which the connection leaves for the target, if it is known: that of the last upstream if the upstream
   * tells it, or else that of this machine.
   */
  readonly egress?: NetAddress.IpAddress | undefined
}

/**
 * How a connection to an address is made.
 *
 * **When to use**
 *
 * Replace it to connect by other means than a socket of this machine, or to wrap the dialer of this package. A dialer
 * gets the judged addresses, one at a time, and must connect to no other address.
 *
 * **Example** (A dialer around that of this package)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Dialer, Errors, Server, Settings } from "effect-socks"
 *
 * const NoSmtp = Layer.effect(
 *   Dialer,
 *   Effect.map(Dialer, ({ connect }) => ({
 *     connect: (address, port) =>
 *       port === 25 ? Effect.fail(new Errors.NotAllowed({ reason: "no mail" })) : connect(address, port)
 *   }))
 * ).pipe(Layer.provide(Dialer.layer), Layer.provide(Settings.layer()))
 *
 * const ProxyLive = Server.layer().pipe(Layer.provide(NoSmtp))
 * ```
 */
export class Dialer extends Context.Service<
  Dialer,
  {
    /**
     * Connects to exactly this address, which the policy has judged; nothing is resolved again. The connection closes
     * with the scope.
     */
    readonly connect: (
      address: NetAddress.IpAddress,
      port: number
    ) => Effect.Effect<Outgoing, DialError, Scope.Scope>
  }
>()("effect-socks/network/Dialer") {
  /** TCP. Where this machine has no IPv4, by the translator of its network. */
  static readonly layer: Layer.Layer<Dialer, never, NetworkSettings> = Layer.effect(
    Dialer,
    Effect.gen(function* () {
      const { connectTimeout } = yield* NetworkSettings
      const sockets = yield* Sockets
      const { translate } = yield* Nat64
      const connect: Dialer["Service"]["connect"] = (address, port) =>
        attempt(sockets, address, port, connectTimeout)
      const translated = (error: DialError, address: NetAddress.Ipv4Address, port: number) =>
        Effect.flatMap(translate(address), (ipv6) =>
          ipv6 === undefined ? Effect.fail(error) : connect(ipv6, port)
        )
      return {
        connect: (address, port) =>
          NetAddress.isIpv4Address(address)
            ? Effect.catchIf(connect(address, port), hasNoIpv4, (error) => translated(error, address, port))
            : connect(address, port)
      }
    })
  )
}

const hasNoIpv4 = ({ _tag }: DialError): boolean =>
  _tag === "NetworkUnreachable" || _tag === "AddressFamilyUnavailable"

const timeout = Effect.fail(new ConnectTimeout())

/**
 * Connects with a time limit. The peer is the address that was dialled, as nothing is resolved: so the socket is not
 * asked for its peer, which saves a system call.
 */
const attempt = (
  sockets: SocketsService,
  address: NetAddress.IpAddress,
  port: number,
  within: Duration.Duration
): Effect.Effect<Outgoing, DialError, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) => {
    let transport: Transport | undefined
    const closing = Effect.sync(() => transport?.close())
    const connected = Effect.withFiber((fiber) => {
      const source = fiber.getRef(CurrentSource)
      const from = source?.of(NetAddress.isIpv4Address(address))
      if (source !== undefined && from === undefined) return Effect.fail(new AddressFamilyUnavailable())
      return Effect.callback<Outgoing, DialError>((resume) => {
        const callOff = Deadline.after(fiber, within, () => {
          transport?.close()
          resume(timeout)
        })
        const connecting = sockets.connect(
          address,
          port,
          (outcome) => {
            callOff()
            resume(
              typeof outcome === "string"
                ? Effect.fail(failureOf(outcome, from))
                : Effect.succeed({
                    transport: connecting,
                    local: outcome,
                    remote: NetAddress.inetAddressUnsafe(address, port)
                  })
            )
          },
          from
        )
        transport = connecting
        return Effect.sync(() => {
          callOff()
          connecting.close()
        })
      })
    })
    return Effect.andThen(Scope.addFinalizer(Context.get(context, Scope.Scope), closing), connected)
  })

/** The error for a system error code, where the local address is this one. */
export const failureOf = (code: string, from: NetAddress.IpAddress | undefined): DialError =>
  from !== undefined && code === "EADDRNOTAVAIL"
    ? new EgressUnavailable({ address: NetAddress.formatIp(from) })
    : fromCode(code)

/** The error for a system error code of `connect`. */
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
  // A firewall of the system.
  EACCES: () => new NotAllowed({ reason: "the system does not permit it" }),
  EPERM: () => new NotAllowed({ reason: "the system does not permit it" }),
  EMFILE: outOfResources,
  ENFILE: outOfResources,
  ENOBUFS: outOfResources,
  ENOMEM: outOfResources,
  EADDRNOTAVAIL: outOfResources
}
