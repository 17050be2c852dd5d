/**
 * Schedules the bytes of sessions with bandwidth limits.
 *
 * Each direction of a session is a flow, with a token bucket for each of its limits. A flow with tokens does not wait.
 * A flow without tokens waits. At each tick the new tokens are divided among the waiting flows, in turn and in equal
 * shares (deficit round robin: a flow whose piece was larger than its share gets less in its next turns).
 */
import type * as Arr from "effect/Array"
import * as TokenBucket from "../base/TokenBucket.ts"

/** One direction of one session. */
export interface Flow {
  /** The most bytes of one read. A larger read would make the flow uneven. */
  readonly slice: number
  /** Charges bytes that have passed. Returns whether more bytes may follow now; if not, calls `go` when they may. */
  readonly pass: (bytes: number, go: () => void) => boolean
  readonly isWaiting: () => boolean
  /** Stops waiting, and returns the unused tokens. */
  readonly leave: () => void
}

/** The flows of a session, one for each direction; undefined for a direction without a limit. */
export interface Pace {
  /** From the client to the target. */
  readonly upload?: Flow | undefined
  /** From the target to the client. */
  readonly download?: Flow | undefined
}

export interface BandwidthScheduler {
  /** A flow through these buckets. `lowest`: a rate to which they may come later. */
  readonly flow: (buckets: Arr.NonEmptyReadonlyArray<TokenBucket.TokenBucket>, lowest?: number) => Flow
  /** Divides the new tokens among the waiting flows. Returns whether another tick is needed. */
  readonly tick: () => boolean
}

/** Milliseconds between two ticks. */
export const interval = 20

/**
 * `now` gives milliseconds since any fixed moment. `wake` is called when a flow begins to wait. The caller then calls
 * `tick` every `interval`, until `tick` returns false.
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

  /**
   * Gives each flow its share of its buckets, at least a slice, until they are empty. Returns the flows that may go on.
   */
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
      // Bytes beyond the share were charged when they passed, so only the rest is charged.
      charge(state, Math.max(state.credit, 0))
      return state.credit > 0
    })
  }

  /** Whether a flow may go on without waiting: its buckets have tokens, and no other flow waits for them. */
  const isFree = ({ buckets }: State): boolean =>
    buckets.every((bucket) => {
      if (bucket.waiting > 0) return false
      TokenBucket.fill(bucket, now())
      return bucket.tokens > 0
    })

  return {
    flow: (buckets, lowest = Infinity) => {
      const state: State = { buckets, slice: sliceFor(buckets, lowest), credit: 0, turn: turns, go: () => {} }
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
      // A flow that had a turn and sent little returns its tokens. A slice stays, so that small, occasional messages
      // need not wait behind large transfers.
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
  /** Bytes that are charged and have not passed; negative for bytes that passed beyond the share. */
  credit: number
  /** The number of the last turn; flows with lower numbers come first. */
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

/** The bytes of about 1/16 second at the lowest rate now, or of a second at a later one: a power of two from 4 KiB to 256 KiB. */
const sliceFor = (buckets: ReadonlyArray<TokenBucket.TokenBucket>, lowest: number): number => {
  const rate = Math.min(lowest, ...buckets.map(({ whole }) => whole / 16))
  return Math.min(Math.max(2 ** Math.floor(Math.log2(rate)), 4 * 1024), 256 * 1024)
}
