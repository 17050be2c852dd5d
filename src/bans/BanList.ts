/**
 * Banned networks and when their bans end: a bounded table.
 *
 * A ban stays in the table for a while after its end, so that the next ban of the
 * same network is longer. A full table drops the bans that end first: to push out
 * one ban, an attacker needs a table full of bans that last longer.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"

export interface Ban {
  readonly network: IpNetwork.IpNetwork
  /** Milliseconds since the epoch. */
  readonly until: number
  readonly reason: string
  /** Number of failed logins that led to the ban; 0 for a ban by an operator. */
  readonly failures: number
}

/** Whether a ban is for failed logins, and not by an operator. */
export const isForGuessing = ({ failures }: Ban): boolean => failures > 0

interface Entry extends Ban {
  /** Number of consecutive bans. */
  readonly turn: number
}

export interface BanList {
  /** The ban that holds for this address. */
  readonly find: (address: NetAddress.IpAddress, now: number) => Ban | undefined
  /** Bans a network for `time` milliseconds, or for twice as long as the last time while that ban is remembered. */
  readonly punish: (network: IpNetwork.IpNetwork, failures: number, now: number, time: number) => Ban
  /** Sets the ban of a network, in place of the one that the network has. */
  readonly set: (ban: Ban) => void
  /** Lifts and forgets every ban that holds for any address of a network, and returns these bans. */
  readonly lift: (network: IpNetwork.IpNetwork, now: number) => ReadonlyArray<Ban>
  readonly list: (now: number) => ReadonlyArray<Ban>
  /** All bans in the table, with those that have ended: the clock by which they ended may be wrong. */
  readonly all: () => ReadonlyArray<Ban>
  /** A number that changes with every change. */
  readonly revision: () => number
}

export const day = 24 * 60 * 60 * 1000

export const make = (limit = 32_768): BanList => {
  const entries = new Map<string, Entry>()
  /** Number of entries of each family and prefix length. */
  const shapes = new Map<string, { readonly sample: IpNetwork.IpNetwork; count: number }>()
  let revision = 0

  const remove = (key: string) => {
    const entry = entries.get(key)
    if (entry === undefined) return
    entries.delete(key)
    const shape = shapes.get(shapeOf(entry.network))!
    if (--shape.count === 0) shapes.delete(shapeOf(entry.network))
  }

  // Drops an eighth at once, so that a full table is not sorted for each ban.
  const makeRoom = () => {
    const soonest = [...entries].sort(([, one], [, other]) => one.until - other.until)
    for (const [key] of soonest.slice(0, Math.ceil(limit / 8))) remove(key)
  }

  const put = (entry: Entry) => {
    const key = IpNetwork.format(entry.network)
    remove(key)
    if (entries.size >= limit) makeRoom()
    entries.set(key, entry)
    const shape = shapes.get(shapeOf(entry.network))
    if (shape) shape.count++
    else shapes.set(shapeOf(entry.network), { sample: entry.network, count: 1 })
    revision++
  }

  /** The bans of the networks that contain this one. */
  function* around({ address, prefixLength }: IpNetwork.IpNetwork): Generator<Entry> {
    for (const { sample } of shapes.values()) {
      if (sample.address._tag !== address._tag || sample.prefixLength > prefixLength) continue
      const network = IpNetwork.fromAddressUnsafe(address, sample.prefixLength)
      const entry = entries.get(IpNetwork.format(network))
      if (entry !== undefined) yield entry
    }
  }

  /** The bans of longer prefixes within a network, which takes a look at each ban, if there are such prefixes. */
  const within = (network: IpNetwork.IpNetwork): ReadonlyArray<Entry> => {
    const { address, prefixLength } = network
    const isLonger = (other: IpNetwork.IpNetwork) =>
      other.address._tag === address._tag && other.prefixLength > prefixLength
    if (![...shapes.values()].some(({ sample }) => isLonger(sample))) return []
    return [...entries.values()].filter(
      (entry) => isLonger(entry.network) && IpNetwork.contains(network, entry.network.address)
    )
  }

  return {
    find: (address, now) => {
      const canonical = NetAddress.toCanonical(address)
      for (const { sample } of shapes.values()) {
        if (sample.address._tag !== canonical._tag) continue
        const network = IpNetwork.fromAddressUnsafe(canonical, sample.prefixLength)
        const entry = entries.get(IpNetwork.format(network))
        if (entry !== undefined && entry.until > now) return entry
      }
      return undefined
    },
    punish: (network, failures, now, time) => {
      const before = entries.get(IpNetwork.format(network))
      const turn = before !== undefined && now - before.until < day ? before.turn + 1 : 1
      const length = Math.min(time * 2 ** (turn - 1), Math.max(day, time))
      const entry = { network, until: now + length, reason: "failed logins", failures, turn }
      put(entry)
      return entry
    },
    set: (ban) => put({ ...ban, turn: 1 }),
    lift: (network, now) => {
      const found = [...around(network), ...within(network)]
      for (const { network } of found) remove(IpNetwork.format(network))
      if (found.length > 0) revision++
      return found.filter(({ until }) => until > now)
    },
    all: () => [...entries.values()],
    list: (now) => [...entries.values()].filter(({ until }) => until > now),
    revision: () => revision
  }
}

const shapeOf = ({ address, prefixLength }: IpNetwork.IpNetwork): string => `${address._tag} ${prefixLength}`
