/**
 * Known (user, network) pairs: which user has logged in from which network, in a
 * bounded table. Only a right password adds a pair, and each user has a few
 * networks at most, so that no user pushes out the pairs of others.
 */

/** A user, by the keyed hash of the name, and a network that a login of theirs came from. */
export interface Pair {
  readonly account: string
  readonly network: string
  /** The time of the last login, in milliseconds since the epoch. */
  readonly at: number
  /** The keyed hash of the right login. Never written to a file, where passwords could be tried against it fast. */
  readonly guess?: string | undefined
  /** Number of wrong passwords since that login. */
  readonly failures: number
}

export interface KnownPairs {
  readonly find: (account: string, network: string, now: number) => Pair | undefined
  /** Whether any user is known from this network. */
  readonly hasAny: (network: string, now: number) => boolean
  /** The sum of the wrong passwords over all pairs of a network. */
  readonly failuresOf: (network: string) => number
  readonly put: (pair: Pair) => void
  readonly entries: () => ReadonlyArray<Pair>
  /** A number that changes when a pair is added or dropped, and when a pair is used in another hour. */
  readonly revision: () => number
}

/** How long a pair is known after a login, in milliseconds. */
export const trusted = 7 * 24 * 60 * 60 * 1000

/** The time of the last login is kept to the hour. */
const hourOf = (at: number): number => Math.floor(at / 3_600_000)

/** Networks of one user. */
const networksEach = 16

export const make = (limit = 8192): KnownPairs => {
  /** By user and by network, in the order of their last use. */
  const accounts = new Map<string, Map<string, Pair>>()
  const networks = new Map<string, Map<string, Pair>>()
  let revision = 0

  const remove = ({ account, network }: Pair) => {
    for (const [table, key, other] of [
      [accounts, account, network],
      [networks, network, account]
    ] as const) {
      const pairs = table.get(key)
      pairs?.delete(other)
      if (pairs?.size === 0) table.delete(key)
    }
    revision++
  }

  const add = (table: Map<string, Map<string, Pair>>, key: string, other: string, pair: Pair) => {
    const pairs = table.get(key) ?? new Map<string, Pair>()
    pairs.delete(other)
    pairs.set(other, pair)
    table.delete(key)
    table.set(key, pairs)
    return pairs
  }

  const isCurrent = ({ at }: Pair, now: number): boolean => now - at < trusted

  return {
    find: (account, network, now) => {
      const pair = accounts.get(account)?.get(network)
      return pair !== undefined && isCurrent(pair, now) ? pair : undefined
    },
    hasAny: (network, now) => {
      for (const pair of networks.get(network)?.values() ?? []) if (isCurrent(pair, now)) return true
      return false
    },
    failuresOf: (network) => {
      let failures = 0
      for (const pair of networks.get(network)?.values() ?? []) failures += pair.failures
      return failures
    },
    put: (pair) => {
      const before = accounts.get(pair.account)?.get(pair.network)
      if (before === undefined || hourOf(pair.at) !== hourOf(before.at)) revision++
      add(networks, pair.network, pair.account, pair)
      const own = add(accounts, pair.account, pair.network, pair)
      if (own.size > networksEach) remove(own.values().next().value!)
      if (accounts.size > limit) {
        for (const oldest of [...accounts.values().next().value!.values()]) remove(oldest)
      }
    },
    entries: () => [...accounts.values()].flatMap((pairs) => [...pairs.values()]),
    revision: () => revision
  }
}
