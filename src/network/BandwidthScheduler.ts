/**
 * The order in which limited sessions may send.
 *
 * Each direction of a session is a flow, with a token bucket for every limit that
 * holds for it. A flow with tokens runs free. A flow without tokens waits. At each
 * tick the new tokens are shared out among the waiting flows, in turn and in equal
 * parts (deficit round robin: a flow that had to take more than its part, because
 * of the size of its pieces, gets less at its next turns).
 */
import type * as Arr from "effect/Array"
import * as TokenBucket from "../base/TokenBucket.ts"

/** One direction of one session. */
export interface Flow {
  /** The largest read that keeps the flow smooth, in bytes. */
  readonly slice: number
  /** Charges bytes that have passed. If no more may follow at once, returns false and calls `go` when they may. */
  readonly pass: (bytes: number, go: () => void) => boolean
  readonly isWaiting: () => boolean
  /** Waits no longer, and gives back what it was given and has not used. */
  readonly leave: () => void
}

/** Both directions of a session; one that has no limit is left out. */
export interface Pace {
  /** From the client to the target. */
  readonly upload?: Flow | undefined
  /** From the target to the client. */
  readonly download?: Flow | undefined
}

export interface BandwidthScheduler {
  readonly flow: (buckets: Arr.NonEmptyReadonlyArray<TokenBucket.TokenBucket>) => Flow
  /** Lets waiting flows go on as far as there are tokens. Returns whether flows still wait. */
  readonly tick: () => boolean
}

/** Milliseconds between two ticks. */
export const interval = 20

/**
 * `now` gives milliseconds from any origin. `wake` is called when flows begin to
 * wait: from then on the caller calls `tick` until it returns false.
 */
export const make = (now: () => number, wake: () => void): BandwidthScheduler => {
  const waiting = new Set<State>()
  /** Flows that had a turn at the last tick. */
  let served: Array<State> = []
  let turns = 0

  const wait = (state: State, go: () => void) => {
    state.go = go
    if (waiting.has(state)) return
    waiting.add(state)
    for (const bucket of state.buckets) bucket.waiting++
    wake()
  }

  const stopWaiting = (state: State) => {
    if (!waiting.delete(state)) return
    for (const bucket of state.buckets) bucket.waiting--
  }

  /** Gives each flow its part of its buckets, a slice at least, until they are empty. Returns the flows that may go on. */
  const shareOut = (states: ReadonlyArray<State>): Array<State> => {
    const rivals = new Map<TokenBucket.TokenBucket, number>()
    for (const { buckets } of states) {
      for (const bucket of buckets) rivals.set(bucket, (rivals.get(bucket) ?? 0) + 1)
    }
    return states.filter((state) => {
      const parts = state.buckets.map((bucket) => {
        const count = rivals.get(bucket)!
        rivals.set(bucket, count - 1)
        return bucket.tokens / count
      })
      if (!hasTokens(state)) return false
      state.turn = ++turns
      state.credit += Math.max(state.slice, Math.min(...parts))
      // What has passed beyond its part was charged then.
      charge(state, Math.max(state.credit, 0))
      return state.credit > 0
    })
  }

  /** No flow overtakes the waiting ones, or takes tokens that come in for them. */
  const isFree = ({ buckets }: State): boolean =>
    buckets.every((bucket) => {
      if (bucket.waiting > 0) return false
      TokenBucket.fill(bucket, now())
      return bucket.tokens > 0
    })

  return {
    flow: (buckets) => {
      const state: State = { buckets, slice: sliceFor(buckets), credit: 0, turn: turns, go: () => {} }
      return {
        slice: state.slice,
        pass: (bytes, go) => {
          const ahead = Math.max(state.credit, 0)
          state.credit -= bytes
          if (state.credit > 0) return true
          charge(state, bytes - ahead)
          if (isFree(state)) {
            state.credit = 0
            return true
          }
          wait(state, go)
          return false
        },
        isWaiting: () => waiting.has(state),
        leave: () => {
          stopWaiting(state)
          giveBack(state, 0)
        }
      }
    },
    tick: () => {
      // The flow asked for a turn and had nothing to send. A slice stays, so that little
      // things sent now and then need not wait in line with large ones.
      for (const state of served) giveBack(state, state.slice)
      const time = now()
      for (const { buckets } of waiting) for (const bucket of buckets) TokenBucket.fill(bucket, time)
      const ready = [...waiting].filter(hasTokens).sort(byTurn)
      served = []
      while (ready.length > 0 && served.length === 0) served = shareOut(ready)
      for (const state of served) stopWaiting(state)
      for (const state of served) state.go()
      return waiting.size > 0 || served.length > 0
    }
  }
}

interface State {
  readonly buckets: Arr.NonEmptyReadonlyArray<TokenBucket.TokenBucket>
  readonly slice: number
  /** Bytes that are charged and have not passed; below zero, those that have passed beyond its part. */
  credit: number
  /** The number of its last turn. */
  turn: number
  go: () => void
}

const byTurn = (one: State, other: State): number => one.turn - other.turn

const hasTokens = ({ buckets }: State): boolean => buckets.every(({ tokens }) => tokens > 0)

const charge = ({ buckets }: State, bytes: number): void => {
  for (const bucket of buckets) bucket.tokens -= bytes
}

const giveBack = (state: State, keep: number): void => {
  const excess = Math.max(state.credit - keep, 0)
  state.credit -= excess
  charge(state, -excess)
}

/** A sixteenth of a second's worth, within what reads can be. */
const sliceFor = (buckets: ReadonlyArray<TokenBucket.TokenBucket>): number => {
  const rate = Math.min(...buckets.map(({ whole }) => whole))
  return Math.min(Math.max(2 ** Math.floor(Math.log2(rate / 16)), 4 * 1024), 256 * 1024)
}
