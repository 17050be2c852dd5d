/**
 * One UDP association: the datagrams of one client, in both directions.
 *
 * An association has one socket for each address family of its targets, made when it is first needed. No datagram, from
 * the client or a target, can end an association or delay another association. Datagrams that cannot be delivered are
 * dropped and counted.
 */
import type { RemoteInfo, Socket } from "node:dgram"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as LruMap from "../base/LruMap.ts"
import type { Pace } from "../network/BandwidthScheduler.ts"
import { fromNode } from "../network/NodeAddress.ts"
import type { Traffic } from "../network/Relay.ts"
import type { Resolver } from "../network/Resolver.ts"
import type { Access } from "../policy/Access.ts"
import type { Policy } from "../policy/Policy.ts"
import * as Datagram from "../wire/Datagram.ts"
import type { Room } from "./DatagramBudget.ts"
import * as Destinations from "./Destinations.ts"
import * as Reassembly from "./Reassembly.ts"
import * as RuleUses from "./RuleUses.ts"
import { bind } from "./UdpSocket.ts"

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
  /** Takes a datagram from the relay port. */
  readonly receive: (bytes: Buffer, from: RemoteInfo) => void
  /** Counts a dropped datagram. */
  readonly drop: () => void
  /** The time of the last relayed datagram, in milliseconds since the epoch. */
  readonly movedAt: () => number
}

/** The number of most recent peers that may send to the client. `LruMap` keeps at most twice as many. */
const peerLimit = 512

/** The most datagrams that the system has not taken yet. */
const pendingLimit = 64

/** The least bytes that a datagram counts in the memory budget. */
const small = 2048

/** An association whose client sends to and receives from the socket `relay`, until the scope closes. */
export const make = Effect.fnUntraced(function* (
  client: Client,
  { udpRate, udpFragments, udpFullCone, udpIdleTimeout }: Rules,
  relay: Socket,
  room: Room
): Effect.fn.Return<Association, never, Policy | Resolver | Scope.Scope> {
  const { traffic, pace } = client
  traffic.dropped = 0
  const clock = yield* Clock.clockWith(Effect.succeed)
  const peers = LruMap.make<string, Destinations.Remote>(peerLimit, room)
  let movedAt = clock.currentTimeMillisUnsafe()
  /** The client's address and port, after its first datagram. */
  let source: Pick<RemoteInfo, "address" | "port"> | undefined
  let pending = 0

  const drop = (count = 1) => {
    traffic.dropped = (traffic.dropped ?? 0) + count
  }
  const dropOne = () => drop()
  const reassembly = udpFragments ? Reassembly.make(drop) : undefined

  /** Charges a datagram of this size, in this direction. If a limit does not allow it, counts it as dropped. */
  const takes = (size: number, way: keyof Pace, use: RuleUses.RuleUse | undefined): boolean => {
    const flow = pace?.[way]
    const ofRule = use?.pace?.[way]
    const isHeld = use?.hasEnded || flow?.isWaiting() || ofRule?.isWaiting()
    if (isHeld || pending >= pendingLimit || !room.take(Math.max(size, small))) {
      drop()
      return false
    }
    flow?.pass(size, nothing)
    ofRule?.pass(size, nothing)
    pending++
    movedAt = clock.currentTimeMillisUnsafe()
    if (use) use.movedAt = movedAt
    return true
  }
  const takenOf = (bytes: number) => (error: Error | null) => {
    pending--
    room.giveBack(bytes)
    if (error) drop()
  }
  const smallTaken = takenOf(small)
  /** The callback for a datagram of this size that the system has taken. Small datagrams, most of them, share one. */
  const taken = (size: number) => (size <= small ? smallTaken : takenOf(size))

  // From the targets --------------------------------------------------------

  const fromTarget = (bytes: Buffer, from: RemoteInfo) => {
    let peer = peers.get(Destinations.keyOf(from))
    if (peer === undefined && udpFullCone) {
      peer = Destinations.remoteAt(fromNode(from.address, from.port))
      peers.set(peer.key, peer)
    }
    if (peer === undefined || source === undefined || !destinations.mayAnswer(peer)) return drop()
    if (!takes(bytes.length, "download", peer.use)) return
    traffic.received += bytes.length
    if (peer.use) peer.use.traffic.received += bytes.length
    relay.send([peer.header, bytes], source.port, source.address, taken(bytes.length))
  }

  const outgoing = { v4: undefined as Socket | undefined, v6: undefined as Socket | undefined }
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      outgoing.v4?.close()
      outgoing.v6?.close()
    })
  )
  const socketFor = ({ isIpv4 }: Destinations.Remote): Socket | undefined => {
    const family = isIpv4 ? "v4" : "v6"
    const existing = outgoing[family]
    if (existing) return existing
    const socket = bind(isIpv4 ? NetAddress.ipv4Unspecified : NetAddress.ipv6Unspecified, 0)
    if (typeof socket === "string") return undefined
    outgoing[family] = socket.on("error", dropOne).on("message", fromTarget)
    return socket
  }

  // From the client ---------------------------------------------------------

  const forward = (bytes: Buffer, headerSize: number, remote: Destinations.Remote) => {
    const socket = socketFor(remote)
    if (socket === undefined) return drop()
    const size = bytes.length - headerSize
    if (!takes(size, "upload", remote.use)) return
    const peer = peers.get(remote.key)
    if (peer === undefined || peer.use !== remote.use || peer.permit !== remote.permit)
      peers.set(remote.key, remote)
    traffic.sent += size
    if (remote.use) remote.use.traffic.sent += size
    socket.send(bytes, headerSize, size, remote.port, remote.address, taken(size))
  }
  const uses = yield* RuleUses.make(client.chargeRule, udpIdleTimeout)
  const destinations = yield* Destinations.make(client.access, uses, room, forward, dropOne)

  const mostEachSecond = udpRate === "off" ? Infinity : udpRate
  let second = 0
  let inSecond = 0
  /** Whether the client has used up its rate for this second. */
  const isTooMuch = (): boolean => {
    const now = Math.floor(clock.currentTimeMillisUnsafe() / 1000)
    if (now !== second) {
      second = now
      inSecond = 0
    }
    return ++inSecond > mostEachSecond
  }

  const isClient = (from: RemoteInfo): boolean =>
    source
      ? from.port === source.port && from.address === source.address
      : (client.port === 0 || from.port === client.port) &&
        Equal.equals(fromNode(from.address, from.port).address, client.address)

  return {
    receive: (bytes, from) => {
      const headerSize = isClient(from) ? Datagram.headerSize(bytes) : 0
      if (headerSize === 0 || isTooMuch()) return drop()
      const isFragment = Datagram.fragment(bytes) !== 0
      if (isFragment && !reassembly) return drop()
      source ??= { address: from.address, port: from.port }
      if (!isFragment) return destinations.send(bytes, headerSize)
      const whole = reassembly?.add(bytes, headerSize, clock.currentTimeMillisUnsafe())
      if (whole) destinations.send(Buffer.from(whole.buffer), headerSize)
    },
    drop: dropOne,
    movedAt: () => movedAt
  }
})

const nothing = () => {}
