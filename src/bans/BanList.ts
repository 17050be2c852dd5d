/**
 * Banned networks and when their bans end: a bounded table.
 *
 * A ban stays for a while after it is over, so that the next one of the same
 * network is longer. Where the table is full, the bans that are over, or would
 * be first, give way: to push out one ban takes as many others that last longer.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"

export interface Ban {
  readonly network: IpNetwork.IpNetwork
  /** Milliseconds since the epoch. */
  readonly until: number
  readonly reason: string
  /** Failed logins that it is for; 0 if it is for something else. */
  readonly failures: number
}

interface Entry extends Ban {
  /** Number of consecutive bans. */
  readonly turn: number
}

export interface BanList {
  /** The ban that this address is under. */
  readonly find: (address: NetAddress.IpAddress, now: number) => Ban | undefined
  /** Bans a network for this long, in milliseconds; for twice as long as the last time if that is not long ago. */
  readonly punish: (network: IpNetwork.IpNetwork, failures: number, now: number, time: number) => Ban
  /** Puts a ban in the place of the network's own, if it has one. */
  readonly set: (ban: Ban) => void
  /** Lifts every ban that holds for any of these addresses, and forgets it. */
  readonly lift: (network: IpNetwork.IpNetwork, now: number) => ReadonlyArray<Ban>
  readonly list: (now: number) => ReadonlyArray<Ban>
  /** Those that are over too, as far as they are remembered: a clock that says so may be wrong. */
  readonly all: () => ReadonlyArray<Ban>
  /** Another number after every change. */
  readonly revision: () => number
}

export const day = 24 * 60 * 60 * 1000

export const make = (limit = 32_768): BanList => {
  const entries = new Map<string, Entry>()
  /** How many entries there are of each family and prefix length. */
  const shapes = new Map<string, { readonly sample: IpNetwork.IpNetwork; count: number }>()
  let revision = 0

  const remove = (key: string) => {
    const entry = entries.get(key)
    if (entry === undefined) return
    entries.delete(key)
    const shape = shapes.get(shapeOf(entry.network))!
    if (--shape.count === 0) shapes.delete(shapeOf(entry.network))
  }

  // An eighth at once, so that a full table is not sorted for each ban.
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
      const found = [...entries].filter(([, entry]) => IpNetwork.overlaps(entry.network, network))
      for (const [key] of found) remove(key)
      if (found.length > 0) revision++
      return found.map(([, entry]) => entry).filter(({ until }) => until > now)
    },
    all: () => [...entries.values()],
    list: (now) => [...entries.values()].filter(({ until }) => until > now),
    revision: () => revision
  }
}

const shapeOf = ({ address, prefixLength }: IpNetwork.IpNetwork): string => `${address._tag} ${prefixLength}`
