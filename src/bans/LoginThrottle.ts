/**
 * Failed logins, and the delay until the next attempt is checked. No attempt waits
 * here: an attempt that comes too soon is refused without a check, which costs
 * neither memory nor a password hash.
 *
 * A guess is a name with a password. The throttle counts the different guesses of
 * a network, and the different guesses for a name. The same wrong password again
 * is no further guess: a program with an old password delays only itself.
 *
 * Each further guess delays the next one. Two kinds of attempts may come before
 * the delay is over: a name with few failures in its network, and a network that
 * never failed for the name. If such an attempt fails, too, its delay is added for
 * all attempts, so that an attacker is at most one guess ahead of the schedule.
 *
 * Failures are forgotten when no other follows for the length of the window, so
 * that guesses spread over two windows gain an attacker nothing.
 */

import * as Tallies from "../base/Tallies.ts"
import * as KnownPairs from "./KnownPairs.ts"
import { addDelay, empty, isBefore, isDelayed, type Tally, takeBack } from "./Tally.ts"

/** A wrong name and password that a network tried. */
interface Guess {
  /** The keyed hash of the name. */
  readonly account: string
  /** Whether the password was checked. A guess that was refused without a check still has to be. */
  isChecked: boolean
  /** Number of checks. */
  times: number
  /** The guess is not checked again until this time. */
  until: number
}

interface NetworkTally extends Tally {
  readonly guesses: Map<string, Guess>
}

interface NameTally extends Tally {
  /** Areas with a failure for this name. */
  readonly areas: Set<string>
}

export interface Attempt {
  readonly network: string
  /** The wider networks around the network, the narrowest first. */
  readonly wider: ReadonlyArray<string>
  /** The network that counts as a new place for a name: wide enough that an attacker cannot have many cheaply. */
  readonly area: string
  /** The keyed hash of the name. */
  readonly account: string
  /** The keyed hash of network, name and password. */
  readonly guess: string
  readonly now: number
  /** Milliseconds. */
  readonly window: number
}

/** A tally, as it is copied into another table. */
export type Entry =
  | ({
      readonly kind: "network"
      readonly key: string
      readonly guesses: ReadonlyArray<[string, Guess]>
    } & Tally)
  | ({ readonly kind: "name"; readonly key: string; readonly areas: ReadonlyArray<string> } & Tally)

export interface LoginThrottle {
  /** Whether this attempt comes too soon. */
  readonly isTooSoon: (attempt: Attempt) => boolean
  /** Whether this attempt is checked whatever others did: the login was right before, or its user is known in the network and has not failed. */
  readonly isExempt: (attempt: Attempt) => boolean
  /** Whether the same login was right before. */
  readonly wasRightBefore: (attempt: Attempt) => boolean
  /** Counts an attempt that came too soon. Returns the failures of its network and of the wider ones, or nothing for a repeated guess. */
  readonly refused: (attempt: Attempt) => ReadonlyArray<number>
  /** Counts an attempt with a wrong password. Returns the same. */
  readonly failed: (attempt: Attempt) => ReadonlyArray<number>
  /** Takes back the failures of the network for this name, and adds the pair to the known ones. */
  readonly succeeded: (attempt: Attempt) => void
  /**
   * Raises the failures of the network of an attempt, and of the wider ones, to these numbers, which several machines have
   * counted together. Returns the tallies that were lower.
   */
  readonly raise: (attempt: Attempt, counts: ReadonlyArray<number>) => ReadonlyArray<Entry>
  /** Forgets a network's failures. */
  readonly clear: (network: string) => void
  /** All tallies, for a copy of this table. */
  readonly entries: () => ReadonlyArray<Entry>
  readonly put: (entry: Entry) => void
  /** The tallies of networks that are not forgotten. */
  readonly list: (now: number, window: number) => ReadonlyArray<readonly [network: string, Tally]>
  /** Known (user, network) pairs. */
  readonly known: KnownPairs.KnownPairs
}

/** Number of failures without a delay, for typing errors: of a network, and for a name, which many programs may use. */
const free = { network: 3, name: 10 }

/** Factors of the thresholds for the network, the /56 and the /48: the wider networks have several customers. */
export const scales: ReadonlyArray<number> = [1, 4, 16]

/** Of the same wrong password: number of checks without a delay, and then the milliseconds between two checks. */
const repeats = { free: 3, every: 1000 }

/** Number of wrong passwords for known pairs of a network that are checked before the delay is over, until those users log in. */
const credit = 3

/** Number of guesses, and of areas, that one tally tells apart. */
const guessesEach = 32
const areasEach = 64

export const make = (limit = 8192, random?: () => number): LoginThrottle => new Throttle(limit, random)

class Throttle implements LoginThrottle {
  readonly known: KnownPairs.KnownPairs
  private readonly networks: Tallies.Tallies<NetworkTally>
  private readonly names: Tallies.Tallies<NameTally>

  constructor(limit: number, random: (() => number) | undefined) {
    this.networks = Tallies.make<NetworkTally>(limit, random)
    this.names = Tallies.make<NameTally>(limit, random)
    this.known = KnownPairs.make(limit)
  }

  wasRightBefore({ account, network, guess, now }: Attempt): boolean {
    return this.known.find(account, network, now)?.guess === guess
  }

  isExempt(attempt: Attempt): boolean {
    const pair = this.known.find(attempt.account, attempt.network, attempt.now)
    if (pair === undefined) return false
    return (
      pair.guess === attempt.guess || (pair.failures === 0 && this.known.failuresOf(pair.network) < credit)
    )
  }

  isTooSoon(attempt: Attempt): boolean {
    if (this.wasRightBefore(attempt)) return false
    const guess = this.earlierGuess(attempt)
    if (guess?.isChecked) return isBefore(attempt.now, guess.until, repeats.every)
    return !this.isExempt(attempt) && (this.areNetworksDelayed(attempt) || this.isNameDelayed(attempt))
  }

  refused(attempt: Attempt): ReadonlyArray<number> {
    return this.earlierGuess(attempt) === undefined ? this.addGuess(attempt).map(({ count }) => count) : []
  }

  failed(attempt: Attempt): ReadonlyArray<number> {
    const { account, network, now } = attempt
    const before = this.earlierGuess(attempt)
    if (before?.isChecked) {
      before.times++
      before.until = before.times < repeats.free ? 0 : now + repeats.every
      return []
    }
    const own = current(this.networks, network, attempt)
    const isFew = failuresFor(own, account) < free.network
    const isQuiet = (own?.count ?? 0) < free.network
    const levels = before === undefined ? this.addGuess(attempt) : this.levelsOf(attempt)
    const guess = levels[0]!.guesses.get(attempt.guess)!
    guess.isChecked = true
    guess.times = 1
    levels.forEach((level, index) => {
      level.last = now
      addDelay(level, free.network * scales[index]!, index === 0 ? isFew : isQuiet, now)
    })
    this.addFailureOfName(attempt)
    this.addFailureOfPair(attempt)
    return levels.map(({ count }) => count)
  }

  succeeded(attempt: Attempt): void {
    const { network, account, guess, now } = attempt
    const own = current(this.networks, network, attempt)
    if (own !== undefined) {
      let returned = 0
      for (const [key, { account: other }] of own.guesses) {
        if (other !== account) continue
        own.guesses.delete(key)
        returned++
      }
      takeBack(own, returned, free.network)
      attempt.wider.forEach((key, index) => {
        const level = current(this.networks, key, attempt)
        if (level) takeBack(level, returned, free.network * scales[index + 1]!)
      })
    }
    this.known.put({ account, network, guess, at: now, failures: 0 })
  }

  raise(attempt: Attempt, counts: ReadonlyArray<number>): ReadonlyArray<Entry> {
    const keys = [attempt.network, ...attempt.wider]
    return this.levelsOf(attempt).flatMap((level, index) => {
      const count = counts[index] ?? 0
      if (count <= level.count) return []
      level.count = count
      level.last = Math.max(level.last, attempt.now)
      addDelay(level, free.network * scales[index]!, false, attempt.now)
      return [entryOf(keys[index]!, level)]
    })
  }

  clear(network: string): void {
    this.networks.remove(network)
  }

  entries(): ReadonlyArray<Entry> {
    return [
      ...this.networks.entries().map(([key, tally]) => entryOf(key, tally)),
      ...this.names
        .entries()
        .map(([key, { areas, ...tally }]) => ({ kind: "name" as const, key, ...tally, areas: [...areas] }))
    ]
  }

  put(entry: Entry): void {
    const { count, last, until, early } = entry
    const tally = { count, last, until, early }
    const weigh = ({ count }: Tally) => count
    if (entry.kind === "network") {
      this.networks.set(entry.key, { ...tally, guesses: new Map(entry.guesses) }, weigh)
    } else this.names.set(entry.key, { ...tally, areas: new Set(entry.areas) }, weigh)
  }

  list(now: number, window: number): ReadonlyArray<readonly [network: string, Tally]> {
    return this.networks.entries().filter(([, { count, last }]) => count > 0 && now - last <= window)
  }

  /** Counts a new guess. */
  private addGuess(attempt: Attempt): ReadonlyArray<NetworkTally> {
    const levels = this.levelsOf(attempt)
    for (const level of levels) {
      level.count++
      level.last = attempt.now
    }
    const { guesses } = levels[0]!
    guesses.set(attempt.guess, { account: attempt.account, isChecked: false, times: 0, until: 0 })
    if (guesses.size > guessesEach) guesses.delete(guesses.keys().next().value!)
    return levels
  }

  /** The same guess, if the network has made it before. */
  private earlierGuess(attempt: Attempt): Guess | undefined {
    return current(this.networks, attempt.network, attempt)?.guesses.get(attempt.guess)
  }

  /** The tallies of the network and of the wider networks. */
  private levelsOf(attempt: Attempt): ReadonlyArray<NetworkTally> {
    return [attempt.network, ...attempt.wider].map((key) =>
      currentOrNew<NetworkTally>(this.networks, key, attempt, () => ({
        ...empty(attempt.now),
        guesses: new Map()
      }))
    )
  }

  private addFailureOfName(attempt: Attempt): void {
    const { account, area, now } = attempt
    const name = currentOrNew<NameTally>(this.names, account, attempt, () => ({
      ...empty(now),
      areas: new Set()
    }))
    name.count++
    name.last = now
    addDelay(name, free.name, !name.areas.has(area), now)
    name.areas.add(area)
    if (name.areas.size > areasEach) name.areas.delete(name.areas.keys().next().value!)
  }

  private addFailureOfPair({ account, network, guess, now }: Attempt): void {
    const pair = this.known.find(account, network, now)
    if (pair === undefined) return
    // A password that was right and is wrong now was changed.
    const known = pair.guess === guess ? undefined : pair.guess
    this.known.put({ ...pair, guess: known, failures: pair.failures + 1 })
  }

  /** Whether the networks of an attempt have to wait. */
  private areNetworksDelayed(attempt: Attempt): boolean {
    const own = current(this.networks, attempt.network, attempt)
    if (isDelayed(own, failuresFor(own, attempt.account) < free.network, attempt.now)) return true
    const isQuiet = (own?.count ?? 0) < free.network
    return attempt.wider.some((key) => isDelayed(current(this.networks, key, attempt), isQuiet, attempt.now))
  }

  /** Whether attempts for the name have to wait, unless its user is known in the network. */
  private isNameDelayed(attempt: Attempt): boolean {
    const { account, network, area, now } = attempt
    const name = current(this.names, account, attempt)
    return (
      isDelayed(name, !name?.areas.has(area), now) && this.known.find(account, network, now) === undefined
    )
  }
}

/** The tally of a key, unless it is so old that it is forgotten. */
const current = <V extends Tally>(table: Tallies.Tallies<V>, key: string, { now, window }: Attempt) => {
  const tally = table.get(key)
  return tally !== undefined && now - tally.last <= window ? tally : undefined
}

const currentOrNew = <V extends Tally>(
  table: Tallies.Tallies<V>,
  key: string,
  attempt: Attempt,
  fresh: () => V
): V => {
  const found = current(table, key, attempt)
  if (found !== undefined) return found
  const { now, window } = attempt
  const tally = fresh()
  table.set(key, tally, ({ count, last }) => (now - last > window ? 0 : count))
  return tally
}

const entryOf = (key: string, { guesses, ...tally }: NetworkTally): Entry => ({
  ...{ kind: "network", key, ...tally },
  guesses: [...guesses]
})

/** Number of different guesses of a network for one name. */
const failuresFor = (tally: NetworkTally | undefined, account: string): number => {
  let count = 0
  for (const guess of tally?.guesses.values() ?? []) if (guess.account === account) count++
  return count
}
