/**
 * Other settings for all workers: one tries them, and the others follow.
 *
 * A worker makes one change after the other, and answers each. One that took
 * another's place while the settings changed can be at a change when the next
 * one comes.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Requests from "../base/Requests.ts"
import type { Refusal } from "../server/Server.ts"
import * as Heartbeat from "./Heartbeat.ts"
import { nothing, type Texts, type WorkerFault } from "./Messages.ts"

/** Why a worker did not change; "gone" if it is no more. */
type Problem = Refusal | WorkerFault | "gone"

/** A worker, as far as it is told to change. */
interface Changeable {
  readonly pid: number
  readonly send: (message: { readonly _tag: "reload"; readonly id: number; readonly texts: Texts }) => void
  /** Ends it in good order; another takes its place at once. */
  readonly retire: () => void
  readonly kill: () => void
}

export interface Reloads<Worker> {
  /** The workers that serve. */
  readonly serving: ReadonlySet<Worker>
  /** What they go by. */
  readonly inForce: () => Texts
  /** They begin with these. */
  readonly begin: (texts: Texts) => void
  /** A worker serves now, by these; it follows if others are in force since. */
  readonly add: (worker: Worker, texts: Texts) => void
  /** What came of a change. */
  readonly answer: (worker: Worker, id: number, exit: Exit.Exit<void, Exclude<Problem, "gone">>) => boolean
  /** It is no more. */
  readonly remove: (worker: Worker) => void
  /** Has one worker change, which puts these in force, and returns it. What fails with one changes nothing with the others. */
  readonly lead: (next: Texts) => Effect.Effect<Worker | undefined, Refusal>
  /** Has all the others change, at once, and waits for each that is not late. */
  readonly follow: (leader: Worker | undefined) => Effect.Effect<void>
}

/** How long a worker may take. */
const patience = "30 seconds"

export const make = Effect.fnUntraced(function* <Worker extends Changeable>({
  missed,
  isLate
}: Pick<Heartbeat.Heartbeat<Worker>, "missed" | "isLate">): Effect.fn.Return<Reloads<Worker>> {
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const requests = Requests.make<Worker, Exit.Exit<void, Problem>>(patience)
  const serving = new Set<Worker>()
  let inForce = nothing

  const change = (worker: Worker, texts: Texts): Effect.Effect<void, Problem> =>
    requests
      .ask(worker, (id) => worker.send({ _tag: "reload", id, texts }))
      .pipe(
        Effect.catch((problem) =>
          Effect.sync(() => {
            // One that does not even answer holds up nobody.
            if (problem === "late") worker.kill()
            return Exit.fail<Problem>("gone")
          })
        ),
        Effect.flatten
      )

  /** One that cannot do as the others do makes way for one that does from the start. */
  const followed = (worker: Worker) =>
    Effect.catch(change(worker, inForce), (problem) =>
      Effect.gen(function* () {
        if (problem === "gone") return
        yield* Effect.logError("a worker is replaced: it could not be reloaded", {
          pid: worker.pid,
          reason: problem.message
        })
        serving.delete(worker)
        worker.retire()
      })
    )

  /** Comes when a worker has not answered for so long that nobody need wait for it. */
  const lateness = (worker: Worker) =>
    Effect.sync(() => isLate(worker)).pipe(
      Effect.repeat({ until: (isLate) => isLate, schedule: Schedule.spaced(Heartbeat.interval) }),
      Effect.asVoid
    )

  return {
    serving,
    inForce: () => inForce,
    begin: (texts) => {
      inForce = texts
    },
    add: (worker, texts) => {
      serving.add(worker)
      // The settings changed while it started, and nobody has told it.
      if (texts !== inForce) fork(followed(worker))
    },
    answer: requests.answer,
    remove: (worker) => {
      serving.delete(worker)
      requests.remove(worker)
    },
    lead: Effect.fnUntraced(function* (next): Effect.fn.Return<Worker | undefined, Refusal> {
      // At first those that answered last. The very last is waited for in any case.
      const workers = [...serving].sort((one, other) => missed(one) - missed(other))
      for (const worker of workers) {
        const asking = Fiber.await(fork(change(worker, next)))
        const exit = yield* worker === workers.at(-1) ? asking : Effect.raceFirst(asking, lateness(worker))
        const problem = exit && Option.getOrUndefined(Exit.findErrorOption(exit))
        // Late, or no more.
        if (exit === undefined || problem === "gone") continue
        if (problem) return yield* problem._tag === "WorkerFault" ? Effect.die(problem) : Effect.fail(problem)
        inForce = next
        return worker
      }
      inForce = next
      return undefined
    }),
    follow: (leader) => {
      const others = [...serving].filter((worker) => worker !== leader)
      // One that is late goes on with it on its own.
      return Effect.forEach(
        others,
        (worker) =>
          Effect.suspend(() => Effect.raceFirst(Fiber.join(fork(followed(worker))), lateness(worker))),
        { concurrency: "unbounded", discard: true }
      )
    }
  }
})
