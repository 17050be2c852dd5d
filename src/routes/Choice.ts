/**
 * The choice of a member for a session. Every function tries its first choice, and then goes on to a member that may be
 * used.
 */
import * as LruMap from "../base/LruMap.ts"
import { hashOf, mixed } from "../base/TextHash.ts"
import type { Choice } from "./RouteOptions.ts"

/** A member, as the choice knows it. */
export interface Candidate {
  /** A text that is the same for the same member on every machine, and at every time. */
  readonly id: string
  readonly weight: number
  /** The number of sessions that use it now. */
  readonly sessions: number
}

/** Chooses a member that may be used; undefined if there is none. `key` is what sessions have in common. */
export type Choose<C> = (mayUse: (member: C) => boolean, key: string | undefined) => C | undefined

/** The function of a kind of choice. `random` gives numbers from 0 to below 1. */
export const make = <C extends Candidate>(
  choice: Choice,
  members: ReadonlyArray<C>,
  random: () => number
): Choose<C> => {
  const turns = inTurn(members)
  switch (choice) {
    case "round-robin":
      return turns
    case "least-sessions":
      return leastSessions(members)
    case "random":
      return atRandom(members, random)
    case "sticky": {
      const sticky = rendezvous(members)
      // A session that has nothing in common with others gets any member.
      return (mayUse, key) => (key === undefined ? turns(mayUse, key) : sticky(mayUse, key))
    }
  }
}

/** Each member in its turn, as often as its weight says. Takes time for the members that may not be used only. */
const inTurn = <C extends Candidate>(members: ReadonlyArray<C>): Choose<C> => {
  const ends = endsOf(members)
  const total = ends.at(-1) ?? 0
  let turn = 0
  return (mayUse) => {
    if (total === 0) return undefined
    const first = indexAt(ends, turn)
    turn = (turn + 1) % total
    return from(members, first, mayUse)
  }
}

const atRandom = <C extends Candidate>(members: ReadonlyArray<C>, random: () => number): Choose<C> => {
  const ends = endsOf(members)
  const total = ends.at(-1) ?? 0
  const draw = () => indexAt(ends, Math.floor(random() * total))
  return (mayUse) => {
    // A few draws, so that the neighbour of a member that may not be used is not chosen twice as often.
    for (let i = 0; i < draws && total > 0; i++) {
      const member = members[draw()]!
      if (mayUse(member)) return member
    }
    return total === 0 ? undefined : from(members, draw(), mayUse)
  }
}

const draws = 8

/** The member with the fewest sessions for its weight. Takes time for each member; `LoadHeap` does not. */
const leastSessions =
  <C extends Candidate>(members: ReadonlyArray<C>): Choose<C> =>
  (mayUse) => {
    let best: C | undefined
    let least = Infinity
    for (const member of members) {
      const load = (member.sessions + 1) / member.weight
      if (load < least && mayUse(member)) {
        best = member
        least = load
      }
    }
    return best
  }

/**
 * Rendezvous hashing: the member whose hash with the key is highest for its weight. A member that may not be used moves
 * only its own keys, and every machine chooses alike. Takes time for each member, but for keys that came before. Of
 * members of one weight, the one with the highest hash has the highest score.
 */
const rendezvous = <C extends Candidate>(members: ReadonlyArray<C>): Choose<C> => {
  const groups = Array.from(groupsOf(members), ([weight, group]) => ({
    ...{ weight, group, hashes: Uint32Array.from(group, ({ id }) => hashOf(id)) }
  }))
  const find = (mayUse: (member: C) => boolean, key: string): C | undefined => {
    const keyHash = hashOf(key)
    let best: C | undefined
    let highest = -1
    for (const { weight, group, hashes } of groups) {
      const index = indexOfHighest(group, hashes, keyHash, mayUse)
      if (index === -1) continue
      // Logarithmic in the hash, so that the chance of a member is its share of all weights.
      const score = weight / -Math.log((mixed(hashes[index]! ^ keyHash) + 1) / 2 ** 32 / (1 + 2 ** -32))
      if (score > highest) {
        best = group[index]!
        highest = score
      }
    }
    return best
  }
  if (members.length < many) return (mayUse, key = "") => find(mayUse, key)
  const found = LruMap.make<string, C>(mostKeys)
  return (mayUse, key = "") => {
    const known = found.get(key)
    if (known !== undefined && mayUse(known)) return known
    const first = known ?? find(() => true, key)!
    if (known === undefined) found.set(key, first)
    return mayUse(first) ? first : find(mayUse, key)
  }
}

/** The number of members from which on the first choice for a key is kept. */
const many = 100

/** The most keys for which it is kept for sure. */
const mostKeys = 4096

/** The members of each weight. */
const groupsOf = <C extends Candidate>(members: ReadonlyArray<C>): ReadonlyMap<number, ReadonlyArray<C>> => {
  const groups = new Map<number, Array<C>>()
  for (const member of members) {
    const group = groups.get(member.weight)
    if (group === undefined) groups.set(member.weight, [member])
    else group.push(member)
  }
  return groups
}

/** The index of the member that may be used whose hash with the key is highest; -1 if there is none. */
const indexOfHighest = <C>(
  group: ReadonlyArray<C>,
  hashes: Uint32Array,
  keyHash: number,
  mayUse: (member: C) => boolean
): number => {
  let best = -1
  let highest = -1
  for (let i = 0; i < hashes.length; i++) {
    const hash = mixed(hashes[i]! ^ keyHash)
    if (hash > highest && mayUse(group[i]!)) {
      best = i
      highest = hash
    }
  }
  return best
}

/** The sums of the weights up to each member. */
const endsOf = (members: ReadonlyArray<Candidate>): ReadonlyArray<number> => {
  let sum = 0
  return members.map(({ weight }) => (sum += weight))
}

/** The index of the first end above the point, by bisection. */
const indexAt = (ends: ReadonlyArray<number>, point: number): number => {
  let [low, high] = [0, ends.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (ends[middle]! > point) high = middle
    else low = middle + 1
  }
  return low
}

/** The first member from this index on that may be used. */
const from = <C>(members: ReadonlyArray<C>, first: number, mayUse: (member: C) => boolean): C | undefined => {
  for (let i = 0; i < members.length; i++) {
    const member = members[(first + i) % members.length]!
    if (mayUse(member)) return member
  }
  return undefined
}
