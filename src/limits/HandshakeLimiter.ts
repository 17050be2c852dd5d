/**
 * Connections in their handshake. Handshakes that never finish leave room to
 * others: all together are limited by random early drop, and each network by a
 * share of the room that is left.
 *
 * The share shrinks as the room does (a dynamic threshold, as switches have it for
 * the queues of a shared buffer: Choudhury and Hahne, 1998). However many silent
 * networks there are, each is refused before one that has little open, and what
 * they leave free together is more than one more needs.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as ClientNetwork from "../base/ClientNetwork.ts"
import * as CounterMap from "../base/CounterMap.ts"
import { TooManyHandshakes } from "../Errors.ts"
import type { ListenSettings } from "../network/ListenSettings.ts"
import { hostOf, type Peer } from "../network/Peer.ts"
import * as EarlyDrop from "./EarlyDrop.ts"
import type { LimitSettings } from "./Settings.ts"

/** What a connection is counted by: an IPv4 address; of IPv6 the /64, and the /48 around it. */
export interface Origin {
  readonly host: string
  readonly network: string
  /** Of this machine, or a proxy that is about to say where a connection comes from: many clients in one. */
  readonly isShared: boolean
}

export const originOf = (peer: Peer, { proxyProtocolFrom }: ListenSettings["Service"]): Origin => {
  const { remote, via } = peer
  const host = hostOf(peer)
  if (!NetAddress.isInetAddress(remote)) return { host, network: host, isShared: true }
  const { address } = remote
  return {
    host,
    network: NetAddress.isIpv6Address(address)
      ? IpNetwork.format(IpNetwork.fromAddressUnsafe(address, 48))
      : host,
    isShared:
      NetAddress.isLoopback(address) ||
      (via === undefined && proxyProtocolFrom.length > 0 && ClientNetwork.isIn(remote, proxyProtocolFrom))
  }
}

export interface HandshakeLimiter {
  /** Why no connection from there is taken on, if none is. `lot` is a number from 0 to 1, drawn for it. */
  readonly refusal: (
    origin: Origin,
    settings: LimitSettings["Service"],
    lot: number
  ) => TooManyHandshakes | undefined
  /** Why none from there is, counted already as another's. */
  readonly refusalOf: (origin: Origin, settings: LimitSettings["Service"]) => TooManyHandshakes | undefined
  readonly change: (origin: Origin, by: 1 | -1) => void
  /** How many there can be, all together. */
  readonly limit: (settings: LimitSettings["Service"]) => number
  /** How many there are. */
  readonly count: () => number
}

/** Parts of the room that is left, up to which one may have handshakes open. */
const parts = { host: 1 / 8, network: 1 / 4, shared: 1 }

/** From so many of a network on it is not summed up any more: that network has most. */
const many = 1024

/**
 * `room` is how many there can be where the configuration does not say. Of what
 * it says, this process has a part, if others have the rest.
 */
export const make = (room: number, part = 1): HandshakeLimiter => {
  const networks = CounterMap.make()
  /** Only of those that are smaller than their networks. */
  const hosts = CounterMap.make()
  /** How many networks have 1 or more, 2 or more, and so on. */
  const levels: Array<number> = []
  let count = 0

  const dropOf = ({ maxHandshakes }: LimitSettings["Service"]) =>
    maxHandshakes === "auto" ? EarlyDrop.upTo(room) : EarlyDrop.partOf(maxHandshakes, part)

  /** How many would be open, had no other network more than one that has so many and opens one more. */
  const upTo = (own: number): number => {
    if (own >= many) return count
    let sum = 0
    for (let level = 0; level <= own && level < levels.length; level++) sum += levels[level]!
    return sum
  }

  const over = (own: number, part: number, free: number) => {
    const limit = Math.max(Math.floor(part * free), 1)
    return own >= limit ? new TooManyHandshakes({ limit }) : undefined
  }

  const refusalWith = ({ host, network, isShared }: Origin, free: number) => {
    const own = networks.of(network)
    if (isShared) return over(own, parts.shared, free)
    return network === host
      ? over(own, parts.host, free)
      : (over(hosts.of(host), parts.host, free) ?? over(own, parts.network, free))
  }

  return {
    refusal: (origin, settings, lot) => {
      const drop = dropOf(settings)
      if (count >= drop.full) return new TooManyHandshakes({ limit: drop.full })
      // Random drop begins with those who have most: others are not counted for more than one has oneself.
      return count >= drop.start && lot < EarlyDrop.chance(upTo(networks.of(origin.network)), drop)
        ? new TooManyHandshakes({ limit: drop.full })
        : refusalWith(origin, drop.full - count)
    },
    refusalOf: (origin, settings) => refusalWith(origin, dropOf(settings).full - count + 1),
    change: ({ host, network }, by) => {
      const own = networks.of(network)
      const level = by === 1 ? own : own - 1
      levels[level] = (levels[level] ?? 0) + by
      networks.change(network, by)
      if (network !== host) hosts.change(host, by)
      count += by
    },
    limit: (settings) => dropOf(settings).full,
    count: () => count
  }
}
