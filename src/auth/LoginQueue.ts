/**
 * The queue of password checks, which take long. The numbers of running and waiting checks are limited.
 *
 * Logins of known (user, network) pairs wait in a queue of their own, and run first. The other networks take turns.
 * When a queue is full, a random login of the network with the most waiting logins is dropped, so that a flood of
 * logins displaces itself.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as CounterMap from "../base/CounterMap.ts"
import { TooManyLogins } from "../Errors.ts"

/** The login that asks for a place in the queue. */
export interface Claim {
  /** Whether the (user, network) pair is known. */
  readonly isKnown: boolean
  /** The client's networks, the narrowest first. */
  readonly networks: ReadonlyArray<string>
}

/** The claim of the login in this fiber. */
export const Claim = Context.Reference<Claim>("effect-socks/auth/LoginQueue/Claim", {
  defaultValue: () => ({ isKnown: false, networks: [] })
})

interface Waiter {
  readonly claim: Claim
  readonly run: () => void
  readonly drop: () => void
  isRunning: boolean
}

/**
 * Runs at most `running` effects at a time. At most `waiting` effects of known pairs wait, and as many of others; when
 * a queue is full, one of its effects fails with `TooManyLogins`. `random` returns a number from 0 to below 1.
 */
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
    waiter.run()
  }

  /** The oldest login of a random network. */
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
    last.drop()
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
          run: () => resume(Effect.void),
          drop: () => resume(Effect.fail(new TooManyLogins({ limit: running + waiting })))
        }
        leaves = () => leave(waiter)
        enter(waiter)
      })
      return Effect.onExit(Effect.andThen(turn, effect), () => Effect.sync(() => leaves()))
    })
}

const widest = ({ networks }: Claim): string => networks.at(-1) ?? ""

/** The logins of the network with the most logins: of the widest such network, then of the narrower networks in it. */
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
