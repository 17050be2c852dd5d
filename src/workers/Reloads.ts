/**
 * Reloads of all workers: one worker tries the new settings, and the others follow.
 *
 * A worker makes one change after the other and answers each. A worker that was
 * started while the settings changed may still be at one change when the next one
 * comes.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Requests from "../base/Requests.ts"
import type { Refusal } from "../server/RunningServer.ts"
import * as Heartbeat from "./Heartbeat.ts"
import { nothing, type Texts, type WorkerFault } from "./Messages.ts"

/** Why a worker did not change to other settings; "gone" if its process has ended. */
type Problem = Refusal | WorkerFault | "gone"

/** A worker, as far as reloads need it. */
interface Changeable {
  readonly pid: number
  readonly send: (message: { readonly _tag: "reload"; readonly id: number; readonly texts: Texts }) => void
  /** Stops the worker, which may finish its sessions. Another worker takes its place at once. */
  readonly retire: () => void
  readonly kill: () => void
}

export interface Reloads<Worker> {
  /** The workers that serve. */
  readonly serving: ReadonlySet<Worker>
  /** The texts of the current settings. */
  readonly inForce: () => Texts
  /** Sets the texts that workers start with. */
  readonly setTexts: (texts: Texts) => void
  /** Adds a worker that serves by these texts. It is reloaded if they are no longer the current ones. */
  readonly add: (worker: Worker, texts: Texts) => void
  /** Takes a worker's answer to a change. Returns whether the primary waits for it. */
  readonly answer: (worker: Worker, id: number, exit: Exit.Exit<void, Exclude<Problem, "gone">>) => boolean
  /** Removes a worker whose process has ended. */
  readonly remove: (worker: Worker) => void
  /** Reloads one worker, which makes these texts the current ones, and returns that worker. A failure changes nothing for the others. */
  readonly lead: (next: Texts) => Effect.Effect<Worker | undefined, Refusal>
  /** Reloads all other workers at once, and waits for those that are not late. */
  readonly follow: (leader: Worker | undefined) => Effect.Effect<void>
}

/** The time that a worker may take for a change. */
const patience = "30 seconds"

export const make = Effect.fnUntraced(function* <Worker extends Changeable>({
  missedBeats,
  isLate
}: Pick<Heartbeat.Heartbeat<Worker>, "missedBeats" | "isLate">): Effect.fn.Return<Reloads<Worker>> {
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
            // Nothing waits for a worker that does not answer the heartbeat.
            if (problem === "late") worker.kill()
            return Exit.fail<Problem>("gone")
          })
        ),
        Effect.flatten
      )

  /** Reloads a worker. One that fails is replaced by a worker that starts with the current settings. */
  const reloadOrReplace = (worker: Worker) =>
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

  /** Completes when a worker has not answered the heartbeat for so long that it is late. */
  const lateness = (worker: Worker) =>
    Effect.sync(() => isLate(worker)).pipe(
      Effect.repeat({ until: (isLate) => isLate, schedule: Schedule.spaced(Heartbeat.interval) }),
      Effect.asVoid
    )

  return {
    serving,
    inForce: () => inForce,
    setTexts: (texts) => {
      inForce = texts
    },
    add: (worker, texts) => {
      serving.add(worker)
      // The settings changed while the worker started.
      if (texts !== inForce) fork(reloadOrReplace(worker))
    },
    answer: requests.answer,
    remove: (worker) => {
      serving.delete(worker)
      requests.remove(worker)
    },
    lead: Effect.fnUntraced(function* (next): Effect.fn.Return<Worker | undefined, Refusal> {
      // At first those that answered last. The very last is waited for in any case.
      const workers = [...serving].sort((one, other) => missedBeats(one) - missedBeats(other))
      for (const worker of workers) {
        const asking = Fiber.await(fork(change(worker, next)))
        const exit = yield* worker === workers.at(-1) ? asking : Effect.raceFirst(asking, lateness(worker))
        const problem = exit && Option.getOrUndefined(Exit.findErrorOption(exit))
        // Late, or its process has ended.
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
      // A late worker goes on with the change, and nothing waits for it.
      return Effect.forEach(
        others,
        (worker) =>
          Effect.suspend(() => Effect.raceFirst(Fiber.join(fork(reloadOrReplace(worker))), lateness(worker))),
        { concurrency: "unbounded", discard: true }
      )
    }
  }
})
