/**
 * Logins that the fleet's store is not told of yet: guesses, and right logins, which make a user known in a network and take back
 * the guesses for that user from there.
 */
import type { Update } from "../bans/BanDecisions.ts"
import type { Attempt } from "../bans/LoginThrottle.ts"
import * as LruMap from "../base/LruMap.ts"
import type { BanBatch } from "./scripts/ExchangeBans.ts"

/** The most guesses and logins of a batch. What is beyond counts on this machine only. */
const most = 500

/** The most guesses that a machine tells in a second: all together 2,000, as strangers choose how many there are, but each some. */
const mostGuesses = (machines: number): number => Math.min(Math.max(Math.floor(2000 / machines), 20), most)

/** Milliseconds in which a known pair is told once, by whichever machine, and in which a machine forgives it once. */
const quiet = 60_000

export interface Taken {
  /** By the hashes of account and guess. */
  readonly guesses: ReadonlyMap<string, Attempt>
  readonly forgiven: ReadonlyMap<string, BanBatch["forgiven"][number]>
  /** By pair, the time of the login. */
  readonly known: ReadonlyMap<string, number>
}

export interface UntoldLogins {
  readonly add: (login: Extract<Update, { readonly _tag: "guess" }>) => void
  /** Another machine has told of a known pair, or the store. */
  readonly learned: (pair: string) => void
  readonly take: () => Taken
  /** What was taken could not be told. */
  readonly putBack: (taken: Taken) => void
}

/** `clock` gives milliseconds since the epoch, `machines` the number of machines. */
export const make = (clock: () => number, machines: () => number): UntoldLogins => {
  let guesses = new Map<string, Attempt>()
  let forgiven = new Map<string, BanBatch["forgiven"][number]>()
  let known = new Map<string, number>()
  /** The second of the last guess, and the number of guesses in it. */
  let turn = { second: 0, guesses: 0 }
  /** When each pair was told last, by this machine or another, and when its guesses were forgiven here. */
  const told = LruMap.make<string, number>(8192)
  const welcomed = LruMap.make<string, number>(8192)
  const isRecent = (at: number | undefined, now: number) => at !== undefined && now >= at && now - at < quiet

  const guessed = (attempt: Attempt) => {
    const second = Math.floor(clock() / 1000)
    if (turn.second !== second) turn = { second, guesses: 0 }
    if (guesses.size >= most || turn.guesses >= mostGuesses(machines())) return
    turn.guesses++
    guesses.set(attempt.account + attempt.guess, attempt)
  }

  const succeeded = ({ account, network, wider, now }: Attempt) => {
    const pair = `${account} ${network}`
    // What is told goes to all machines, so each need not tell what another has told.
    if (!isRecent(told.get(pair), now) && known.size < most) {
      told.set(pair, now)
      known.set(pair, now)
    }
    if (isRecent(welcomed.get(pair), now)) return
    welcomed.set(pair, now)
    if (forgiven.size < most) forgiven.set(pair, [account, [network, ...wider]])
    for (const [key, other] of guesses) {
      if (other.account === account && other.network === network) guesses.delete(key)
    }
  }

  return {
    add: ({ outcome, ...attempt }) => (outcome === "succeeded" ? succeeded(attempt) : guessed(attempt)),
    learned: (pair) => told.set(pair, clock()),
    take: () => {
      const taken = { guesses, forgiven, known }
      guesses = new Map()
      forgiven = new Map()
      known = new Map()
      return taken
    },
    putBack: (taken) => {
      guesses = new Map([...taken.guesses, ...guesses].slice(0, most))
      forgiven = new Map([...taken.forgiven, ...forgiven].slice(0, most))
      known = new Map([...taken.known, ...known].slice(0, most))
    }
  }
}
