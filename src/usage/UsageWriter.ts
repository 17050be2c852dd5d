/**
 * Writes usage to its store: all that has come together in one transaction, a few times a second. While the store
 * fails, usage waits in memory, and the log says so.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { UsageStoreFailed } from "../Errors.ts"
import { type Amount, bytesOf } from "./Amount.ts"
import * as PendingUsage from "./PendingUsage.ts"
import type { Batch, UsageStore } from "./UsageStore.ts"

export interface UsageWriter {
  /** Adds an amount at a time in milliseconds since the epoch. Never waits. */
  readonly add: (account: string, amount: Amount, now: number) => void
  /** Writes what was added so far. */
  readonly flush: Effect.Effect<void, UsageStoreFailed>
}

/**
 * Milliseconds from an amount to its transaction. With the interval in which sessions are counted, and with the way
 * from a worker to the primary, it stays under a second.
 */
const interval = 300

/** The longest pause after a failure, in milliseconds. */
const longestPause = 5000

/** Milliseconds after which a line about failures is repeated. */
const reminder = 60_000

/** The most accounts that wait, about 20 MB. */
const capacity = 100_000

/** Writes until the scope closes, and then the rest. */
export const make = Effect.fnUntraced(function* (
  store: UsageStore
): Effect.fn.Return<UsageWriter, never, Scope.Scope> {
  const pending = PendingUsage.make(capacity)
  const writer = crypto.randomUUID()
  const one = yield* Semaphore.make(1)
  let written = 0
  /** Was taken from `pending`, and may or may not be in the store. */
  let batch: Batch | undefined

  const flush = one.withPermits(1)(
    Effect.gen(function* () {
      if (batch === undefined) {
        if (pending.size() === 0) return
        batch = { writer, number: ++written, rows: pending.take() }
      }
      // In a fiber of its own: a connection without an answer does not end a transaction either.
      const writing = yield* Effect.forkDetach(store.write(batch), { startImmediately: true })
      yield* Effect.timeoutOrElse(Fiber.join(writing), {
        duration: "5 seconds",
        orElse: () => Effect.fail(new UsageStoreFailed({ store: store.name, reason: "it does not answer" }))
      })
      batch = undefined
    })
  )

  const waiting = () => {
    const rows = [...(batch?.rows ?? []), ...pending.rows()]
    const accounts = new Set(rows.map(({ account }) => account)).size
    return { accounts, bytes: rows.reduce((bytes, { amount }) => bytes + bytesOf(amount), 0) }
  }
  const log = makeLog(store.name, waiting, pending.takeLost)

  const turn = (pause: number): Effect.Effect<number> =>
    flush.pipe(
      Effect.andThen(log.succeeded),
      Effect.as(interval),
      Effect.catch((error) =>
        Effect.as(log.failed(error), pause === interval ? 2 * interval : Math.min(2 * pause, longestPause))
      )
    )
  const run = Effect.gen(function* () {
    let pause = interval
    while (true) {
      yield* Effect.sleep(pause)
      pause = yield* turn(pause)
    }
  })

  yield* Effect.addFinalizer(() =>
    flush.pipe(
      // What was added while the last batch was under way.
      Effect.andThen(flush),
      Effect.catch(({ reason }) =>
        Effect.logError("usage is lost: its store failed until the end", {
          store: store.name,
          reason,
          ...waiting()
        })
      )
    )
  )
  yield* Effect.forkScoped(run)
  return { add: pending.add, flush }
})

/** The lines about a store that fails: at once, each minute, and when it works again. */
const makeLog = (
  store: string,
  waiting: () => { readonly accounts: number; readonly bytes: number },
  takeLost: () => number
) => {
  let loggedAt: number | undefined
  return {
    failed: ({ reason }: UsageStoreFailed) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        if (loggedAt !== undefined && Math.abs(now - loggedAt) < reminder) return
        loggedAt = now
        yield* Effect.logError("usage cannot be stored, and waits in memory", {
          store,
          reason,
          ...waiting()
        })
        const lost = takeLost()
        if (lost > 0) yield* Effect.logError("usage is lost: too many accounts wait", { store, bytes: lost })
      }),
    succeeded: Effect.suspend(() => {
      if (loggedAt === undefined) return Effect.void
      loggedAt = undefined
      const lost = takeLost()
      return Effect.logInfo("usage is stored again", { store, ...(lost > 0 && { lost }) })
    })
  }
}
