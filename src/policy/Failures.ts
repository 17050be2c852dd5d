/**
 * Failed logins, counted by client network and by user name, and how long each
 * has to wait for the next attempt. Nobody waits in here: an attempt that comes
 * too soon is refused unheard, which costs neither memory nor a password check.
 *
 * Failures are forgotten when none follows for the length of the window, so
 * that a guesser gains nothing by spreading his guesses over two of them. The
 * tables are bounded: to push out the count of one network or name takes
 * failures of thousands of others, each of which costs its network a ban.
 */
import * as Recent from "./Recent.ts"

/** Failures of a network, or for a name. */
export interface Tally {
  count: number
  /** When the last one was, in milliseconds. */
  last: number
  /** No attempt is heard before. */
  until: number
  /** Of a network: how many were for each of the first few names, which a success takes back. */
  names?: Map<number, number>
}

export interface Attempt {
  readonly network: string
  /** A hash of the name. Who finds two names of one hash has gained nothing. */
  readonly name: number
  readonly now: number
  /** Milliseconds. */
  readonly window: number
}

/** A tally, of a network or of a name. */
export interface Entry extends Omit<Tally, "names"> {
  readonly key: string | number
}

export interface Failures {
  /** Whether it is too soon for this attempt. */
  readonly isTooSoon: (attempt: Attempt) => boolean
  /** An attempt that came too soon; how many failures of its network there are with it. */
  readonly refused: (attempt: Attempt) => number
  /** An attempt with a wrong password; how many failures of its network there are with it. */
  readonly failed: (attempt: Attempt) => number
  /** Forgives the network what was for this name, and lets the name in from there whatever others try. */
  readonly succeeded: (attempt: Attempt) => void
  /** Forgets a network's failures. */
  readonly clear: (network: string) => void
  /** What is held against whom, without the names in it; to be put into another table. */
  readonly entries: () => ReadonlyArray<Entry>
  readonly put: (entry: Entry) => void
  /** By network, those that are not forgotten. */
  readonly list: (now: number, window: number) => ReadonlyArray<readonly [network: string, Tally]>
}

/** Failures without a delay, for typing errors: of a network, and for a name, which may be in many programs. */
const free = { network: 3, name: 10 }

/** Milliseconds; the delay grows from one to the other. */
const delays = { first: 1000, last: 60_000 }

/** How long a network is known for a user's after a login, in milliseconds. */
const trusted = 7 * 24 * 60 * 60 * 1000

/** Names that are told apart in a network's failures. */
const namesEach = 4

/** Networks that are known for a user's. */
const networksEach = 16

export const make = (limit = 8192): Failures => {
  const networks = Recent.make<string, Tally>(limit)
  const names = Recent.make<number, Tally>(limit)
  /** When each user came in, by network, the latest last. Only who knows a password gets in here. */
  const known = Recent.make<number, Map<string, number>>(limit)

  const current = <K>(table: Recent.Recent<K, Tally>, key: K, { now, window }: Attempt) => {
    const tally = table.get(key)
    return tally !== undefined && now - tally.last <= window ? tally : undefined
  }

  const count = <K>(table: Recent.Recent<K, Tally>, key: K, attempt: Attempt): Tally => {
    const tally = current(table, key, attempt) ?? { count: 0, last: 0, until: 0 }
    tally.count++
    tally.last = attempt.now
    table.set(key, tally)
    return tally
  }

  const countNetwork = (attempt: Attempt): Tally => {
    const tally = count(networks, attempt.network, attempt)
    tally.names ??= new Map()
    const before = tally.names.get(attempt.name)
    if (before !== undefined || tally.names.size < namesEach) {
      tally.names.set(attempt.name, (before ?? 0) + 1)
    }
    return tally
  }

  const isKnown = ({ name, network, now }: Attempt): boolean => {
    const at = known.get(name)?.get(network)
    return at !== undefined && now - at < trusted
  }

  return {
    isTooSoon: (attempt) =>
      isWaiting(current(networks, attempt.network, attempt), attempt.now) ||
      (isWaiting(current(names, attempt.name, attempt), attempt.now) && !isKnown(attempt)),
    refused: (attempt) => countNetwork(attempt).count,
    failed: (attempt) => {
      const name = count(names, attempt.name, attempt)
      name.until = attempt.now + delay(name.count - free.name)
      const network = countNetwork(attempt)
      network.until = attempt.now + delay(network.count - free.network)
      return network.count
    },
    succeeded: (attempt) => {
      const { network, name, now } = attempt
      const tally = current(networks, network, attempt)
      if (tally !== undefined) {
        tally.count -= tally.names?.get(name) ?? 0
        tally.names?.delete(name)
        if (tally.count < free.network) tally.until = 0
      }
      const places = known.get(name) ?? new Map<string, number>()
      places.delete(network)
      places.set(network, now)
      if (places.size > networksEach) places.delete(places.keys().next().value!)
      known.set(name, places)
    },
    clear: (network) => networks.set(network, { count: 0, last: 0, until: 0 }),
    entries: () =>
      [...networks.entries(), ...names.entries()].map(([key, { count, last, until }]) => ({
        key,
        count,
        last,
        until
      })),
    put: ({ key, count, last, until }) => {
      if (typeof key === "string") networks.set(key, { count, last, until })
      else names.set(key, { count, last, until })
    },
    list: (now, window) =>
      networks.entries().filter(([, { count, last }]) => count > 0 && now - last <= window)
  }
}

/** A clock that was set back makes nobody wait longer than the longest delay. */
const isWaiting = (tally: Tally | undefined, now: number): boolean =>
  tally !== undefined && now < tally.until && tally.until - now <= delays.last

const delay = (beyond: number): number => (beyond < 0 ? 0 : Math.min(delays.first * 2 ** beyond, delays.last))
