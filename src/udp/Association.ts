/**
 * One UDP association: the datagrams of one client, in both directions.
 *
 * An association has one socket for each address family of its targets, made when it is first needed. No datagram, from
 * the client or a target, can end an association or delay another association. Datagrams that cannot be delivered are
 * dropped and counted.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as LruMap from "../base/LruMap.ts"
import type { Pace } from "../network/BandwidthScheduler.ts"
import type { Traffic } from "../network/Relay.ts"
import type { UdpEndpoint, UdpReceiver, UdpSocket } from "../network/UdpSocket.ts"
import { UdpSockets } from "../network/UdpSockets.ts"
import type { Access } from "../policy/Access.ts"
import type { Policy } from "../policy/Policy.ts"
import type { Connecting, JudgedTarget } from "../routes/Route.ts"
import * as Datagram from "../wire/Datagram.ts"
import { ClientEndpoint } from "./ClientEndpoint.ts"
import type { Room } from "./DatagramBudget.ts"
import { DatagramMeter } from "./DatagramMeter.ts"
import * as Destinations from "./Destinations.ts"
import * as Reassembly from "./Reassembly.ts"
import * as RuleUses from "./RuleUses.ts"
import * as TargetSockets from "./TargetSockets.ts"

/** The client of an association, with its limits and counters. */
export interface Client {
  readonly access: Access
  /** The key of the owner. All associations of an owner share a memory budget. */
  readonly owner: string
  /** The client's address. Datagrams to the relay port from other addresses are dropped. */
  readonly address: NetAddress.IpAddress
  /** The client's port; with 0, the port of the first datagram from the client's address. */
  readonly port: number
  readonly traffic: Traffic
  /** The flows of the bandwidth limits. Datagrams beyond the limits are dropped. */
  readonly pace?: Pace | undefined
  /** Charges the limits of a rule before the rule's first datagram. */
  readonly chargeRule: RuleUses.ChargeRule
  /** Takes the way to the target of the last datagram that had to find one. */
  readonly log?: JudgedTarget["log"]
}

interface Rules {
  /** Whether fragments are reassembled; otherwise they are dropped. */
  readonly udpFragments: boolean
  /** Datagrams a second that the client may send. */
  readonly udpRate: number | "off"
  /** Whether any sender may reach the client; otherwise only targets (address and port) to which it has sent. */
  readonly udpFullCone: boolean
  /** The time without datagrams of a rule after which its limits are released. */
  readonly udpIdleTimeout: Duration.Duration
}

export interface Association {
  /** Takes the datagrams of the relay port. */
  readonly receiver: UdpReceiver
  /** The time of the last relayed datagram, in milliseconds since the epoch. */
  readonly movedAt: () => number
}

/** The number of most recent peers that may send to the client. `LruMap` keeps at most twice as many. */
const peerLimit = 512

/** The number of most recent relays of upstreams that may send to the client. Those that end are made again, at another port. */
const upstreamLimit = 64

const none: ReadonlyArray<NetAddress.InetAddress> = []

/** The sender in the header of a whole datagram from a relay. */
const senderIn = (header: Buffer): NetAddress.InetAddress | undefined => {
  if (Datagram.fragment(header) !== 0) return undefined
  const target = Datagram.target(header)
  if (Result.isFailure(target) || !NetAddress.isIpAddress(target.success.host)) return undefined
  return NetAddress.inetAddressUnsafe(target.success.host, target.success.port)
}

/** An association whose client sends to and receives from the socket `relay`, until the scope closes. */
export const make = Effect.fnUntraced(function* (
  client: Client,
  { udpRate, udpFragments, udpFullCone, udpIdleTimeout }: Rules,
  relay: UdpSocket,
  room: Room
): Effect.fn.Return<Association, never, Policy | Connecting | Scope.Scope> {
  const { traffic } = client
  const clock = yield* Clock.clockWith(Effect.succeed)
  const meter = new DatagramMeter(traffic, client.pace, room, clock)
  const endpoint = new ClientEndpoint(client, udpRate, clock)
  const reassembly = udpFragments ? Reassembly.make(meter.dropMany) : undefined
  const peers = LruMap.make<string, Destinations.Remote>(peerLimit, room)
  /** The relays of upstreams that were used last, by their keys. */
  const upstreams = LruMap.make<string, Destinations.Relay>(upstreamLimit)
  let hasUpstreams = false

  /** Passes on a datagram of a target, behind the header of an upstream's relay if it came from one. */
  const toClient = (bytes: Buffer, headerSize: number, from: UdpEndpoint, upstream?: Destinations.Relay) => {
    let peer = peers.get(from.key)
    if (peer === undefined && udpFullCone) {
      peer = Destinations.remoteAt(from, undefined, undefined, { relay: upstream })
      peers.set(from.key, peer)
    }
    const { source } = endpoint
    if (peer === undefined || source === undefined || !destinations.mayAnswer(peer)) return meter.drop()
    // A relay speaks for the targets that are behind it, and nobody else does.
    if (peer.relay?.to.key !== upstream?.to.key) return meter.drop()
    const size = bytes.length - headerSize
    if (!meter.charge(size, "download", peer.use)) return
    traffic.received += size
    if (peer.use) peer.use.traffic.received += size
    relay.send(bytes, headerSize, source, meter.whenSent(size), peer.header)
  }

  const { endpoint: endpointOf } = yield* UdpSockets
  const fromTarget = (bytes: Buffer, from: UdpEndpoint) => {
    const upstream = hasUpstreams ? upstreams.get(from.key) : undefined
    if (upstream === undefined) return toClient(bytes, 0, from)
    // The port may be another's by now.
    if (upstream.upstream.hasEnded) return meter.drop()
    const { through = none } = upstream.upstream
    let headerSize = 0
    let sender: NetAddress.InetAddress | undefined
    for (let hop = 0; hop <= through.length; hop++) {
      const relay = through[hop]
      const rest = headerSize === 0 ? bytes : bytes.subarray(headerSize)
      const size = Datagram.headerSize(rest)
      sender = size === 0 ? undefined : senderIn(rest.subarray(0, size))
      // What a relay passes on that does not come from the next relay is nobody's answer.
      if (sender === undefined || (relay !== undefined && !Equal.equals(sender, relay))) return meter.drop()
      headerSize += size
    }
    upstream.upstream.onDatagram?.()
    toClient(bytes, headerSize, endpointOf(sender!), upstream)
  }

  const sockets = yield* TargetSockets.make({ received: fromTarget, failed: meter.drop })

  const toTarget = (bytes: Buffer, headerSize: number, remote: Destinations.Remote) => {
    const socket = sockets.of(remote.isIpv4, remote.source)
    if (socket === undefined) return meter.drop()
    const size = bytes.length - headerSize
    if (!meter.charge(size, "upload", remote.use)) return
    const { to, relay: upstream } = remote
    if (upstream) {
      hasUpstreams = true
      upstreams.set(upstream.to.key, upstream)
    }
    const peer = peers.get(to.key)
    if (peer?.use !== remote.use || peer?.permit !== remote.permit || peer?.relay !== upstream)
      peers.set(to.key, remote)
    traffic.sent += size
    if (remote.use) remote.use.traffic.sent += size
    if (upstream === undefined) socket.send(bytes, headerSize, to, meter.whenSent(size))
    else socket.send(bytes, headerSize, upstream.to, meter.whenSent(size), remote.relayHeader)
  }

  const uses = yield* RuleUses.make(client.chargeRule, udpIdleTimeout)
  const destinations = yield* Destinations.make(client.access, uses, room, toTarget, meter.drop, client.log)

  const fromClient = (bytes: Buffer, from: UdpEndpoint) => {
    const headerSize = endpoint.isClient(from) ? Datagram.headerSize(bytes) : 0
    if (headerSize === 0 || endpoint.isTooMuch()) return meter.drop()
    const isFragment = Datagram.fragment(bytes) !== 0
    if (isFragment && !reassembly) return meter.drop()
    endpoint.learn(from)
    if (!isFragment) return destinations.send(bytes, headerSize)
    const whole = reassembly?.add(Buffer.from(bytes), headerSize, clock.currentTimeMillisUnsafe())
    if (whole) destinations.send(Buffer.from(whole.buffer), headerSize)
  }

  return { receiver: { received: fromClient, failed: meter.drop }, movedAt: () => meter.movedAt }
})
