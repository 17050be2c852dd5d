/**
 * The queue of password checks, which take long: a limited number runs, a limited
 * number waits, and no more are held in memory.
 *
 * Known (user, network) pairs have places of their own and go first. The other
 * networks take turns. When the queue is full, a random login of the network with
 * most waiting logins is dropped, so that a flood crowds out itself.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as CounterMap from "../base/CounterMap.ts"
import { TooManyLogins } from "../Errors.ts"

/** The login that asks for a place. */
export interface Claim {
  /** Whether the (user, network) pair is known. */
  readonly isKnown: boolean
  /** The networks that it comes from, the narrowest first. */
  readonly networks: ReadonlyArray<string>
}

/** That of the login which is under way. */
export const Claim = Context.Reference<Claim>("effect-socks/auth/LoginQueue/Claim", {
  defaultValue: () => ({ isKnown: false, networks: [] })
})

interface Waiter {
  readonly claim: Claim
  readonly begin: () => void
  readonly giveWay: () => void
  isRunning: boolean
}

/** Runs this many effects at once, and lets as many more as are `waiting` wait of each kind; one too many fails. */
export const make = (running: number, waiting: number, random: () => number = Math.random) => {
  const known: Array<Waiter> = []
  const strangers: Array<Waiter> = []
  let free = running

  const draw = <A>(among: ReadonlyArray<A>): A => among[Math.floor(random() * among.length)]!

  const remove = (waiter: Waiter) => {
    for (const queue of [known, strangers]) {
      const index = queue.indexOf(waiter)
      if (index !== -1) queue.splice(index, 1)
    }
  }

  const start = (waiter: Waiter) => {
    remove(waiter)
    waiter.isRunning = true
    waiter.begin()
  }

  /** Of a network that is drawn, the one that waits longest. */
  const nextStranger = (): Waiter | undefined => {
    const networks = [...new Set(strangers.map(({ claim }) => widest(claim)))]
    const network = draw(networks)
    return strangers.find(({ claim }) => widest(claim) === network)
  }

  const enter = (waiter: Waiter) => {
    if (free > 0) {
      free--
      return start(waiter)
    }
    const queue = waiter.claim.isKnown ? known : strangers
    queue.push(waiter)
    if (queue.length <= waiting) return
    const last = draw(crowd(queue))
    remove(last)
    last.giveWay()
  }

  const leave = (waiter: Waiter) => {
    if (!waiter.isRunning) return remove(waiter)
    const next = known[0] ?? nextStranger()
    if (next) start(next)
    else free++
  }

  return <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | TooManyLogins, R> =>
    Effect.flatMap(Claim, (claim) => {
      let leaves = () => {}
      const turn = Effect.callback<void, TooManyLogins>((resume) => {
        const waiter = {
          claim,
          isRunning: false,
          begin: () => resume(Effect.void),
          giveWay: () => resume(Effect.fail(new TooManyLogins({ limit: running + waiting })))
        }
        leaves = () => leave(waiter)
        enter(waiter)
      })
      return Effect.onExit(Effect.andThen(turn, effect), () => Effect.sync(() => leaves()))
    })
}

const widest = ({ networks }: Claim): string => networks.at(-1) ?? ""

/** Those of the network with most of them: first of the wide ones, and in it of the narrower ones. */
const crowd = (queue: ReadonlyArray<Waiter>): ReadonlyArray<Waiter> => {
  const depth = Math.max(...queue.map(({ claim }) => claim.networks.length))
  let among = queue
  for (let level = 1; level <= depth; level++) {
    const counts = CounterMap.make()
    const keyOf = ({ claim: { networks } }: Waiter) => networks.at(-level) ?? networks[0] ?? ""
    for (const waiter of among) counts.change(keyOf(waiter), 1)
    const most = Math.max(...[...counts.keys()].map(counts.of))
    among = among.filter((waiter) => counts.of(keyOf(waiter)) === most)
  }
  return among
}
