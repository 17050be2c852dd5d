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

/** The keys by which handshakes are counted: an IPv4 address, or an IPv6 /64 and the /48 around it. */
export interface Origin {
  readonly host: string
  readonly network: string
  /** Many clients have this address: that of this machine, or of a proxy whose PROXY header has not been read yet. */
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
  /**
   * Why a new connection from this origin is refused, if it is. `lot` is a random number from 0 to 1, for the early
   * drop.
   */
  readonly refusal: (
    origin: Origin,
    settings: LimitSettings["Service"],
    lot: number
  ) => TooManyHandshakes | undefined
  /** Why a connection that is counted for another origin cannot be counted for this one, if it cannot. */
  readonly refusalOf: (origin: Origin, settings: LimitSettings["Service"]) => TooManyHandshakes | undefined
  readonly change: (origin: Origin, by: 1 | -1) => void
  /** The limit of handshakes in all. */
  readonly limit: (settings: LimitSettings["Service"]) => number
  /** Number of handshakes. */
  readonly count: () => number
}

/** The fraction of the free room that one origin may use. */
const parts = { host: 1 / 8, network: 1 / 4, shared: 1 }

/** A network with this many handshakes counts as the one with most, so that `upTo` stays cheap. */
const many = 1024

/**
 * `room` is the limit where the setting is `auto`. `part` is the fraction of a
 * limit in the settings that this process has, from 0 to 1.
 */
export const make = (room: number, part = 1): HandshakeLimiter => {
  const networks = CounterMap.make()
  /** IPv6 /64s. For IPv4, host and network are the same, and `networks` has them. */
  const hosts = CounterMap.make()
  /** Number of networks with at least 1 handshake, at least 2, and so on. */
  const levels: Array<number> = []
  let count = 0

  const dropOf = ({ maxHandshakes }: LimitSettings["Service"]) =>
    maxHandshakes === "auto" ? EarlyDrop.upTo(room) : EarlyDrop.partOf(maxHandshakes, part)

  /** The sum over all networks of their handshakes, each counted up to `own` + 1. */
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
      // Random drop hits the networks with most handshakes first: no other network counts for more than this one has.
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
