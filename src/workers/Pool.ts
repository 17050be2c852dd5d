/**
 * The worker processes. One that ends is replaced, so that their number stays the same.
 */
import cluster, { type Worker } from "node:cluster"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as InspectorAddresses from "../base/InspectorAddresses.ts"
import type { ToPrimary, ToWorker } from "./Messages.ts"
import * as Outbox from "./Outbox.ts"
import * as Respawn from "./Respawn.ts"
import { workerVariable } from "./WorkerVariable.ts"

/** One worker process. */
export interface Member {
  readonly pid: number
  /** The number of the worker's place, from 1 on: a worker that replaces another one has the same number. */
  readonly place: number
  readonly send: (message: ToWorker) => void
  /** Stops the worker, which may finish its sessions. Another worker takes its place at once. */
  readonly retire: () => void
  /** Kills the worker. Another worker takes its place. */
  readonly kill: () => void
  /** Ends a worker that cannot start, for this reason. Another one is tried. */
  readonly fail: (reason: string) => void
}

export interface PoolHandlers {
  /** Takes a message of a member. */
  readonly onMessage: (member: Member, message: ToPrimary) => void
  /** A member's process has ended. */
  readonly onEnd: (member: Member) => void
  /** The time that members may take to end. */
  readonly patience: () => Duration.Duration
}

export interface Pool {
  /** Starts the members. */
  readonly start: () => void
  /** Dies when a member ends before `replaceEndedWorkers` is called. */
  readonly broken: Effect.Effect<never>
  /** Members that end are replaced from now on. */
  readonly replaceEndedWorkers: () => void
}

/** The place of one worker at a time. */
interface Slot {
  readonly place: number
  /** Number of workers that ended here since the last one began to serve. */
  ends: number
}

/** Signals that end a process only in its first moments. Some send them to all processes of a group, or of a name. */
const harmless: ReadonlySet<NodeJS.Signals | null> = new Set(["SIGHUP", "SIGUSR1", "SIGUSR2"] as const)

/** `count` processes of this program. When the scope closes they are told to stop, and killed if they take longer than `patience`. */
export const make = Effect.fnUntraced(function* (
  count: number,
  handlers: PoolHandlers
): Effect.fn.Return<Pool, never, Scope.Scope> {
  const processes = new Processes(handlers, Effect.runForkWith(yield* Effect.context<never>()))
  cluster.schedulingPolicy = cluster.SCHED_NONE
  // Arrays of numbers are copied as they are.
  cluster.setupPrimary({ serialization: "advanced" })
  const killAll = () => processes.killAll()
  process.on("exit", killAll)
  yield* Effect.addFinalizer(() =>
    Effect.andThen(
      processes.stop,
      Effect.sync(() => process.off("exit", killAll))
    )
  )
  return {
    start: () => {
      for (let place = 1; place <= count; place++) processes.start({ place, ends: 0 })
    },
    broken: Deferred.await(processes.broken),
    replaceEndedWorkers: () => {
      processes.phase = "settled"
    }
  }
})

/** The processes of a pool. */
class Processes {
  phase: "starting" | "settled" | "stopping" = "starting"
  readonly broken = Deferred.makeUnsafe<never>()
  private readonly empty = Deferred.makeUnsafe<void>()
  private readonly members = new Map<Member, Worker>()
  /** The members that serve. */
  private readonly serving = new Set<Member>()
  private readonly timers = new Set<NodeJS.Timeout>()
  private readonly handlers: PoolHandlers
  private readonly fork: (effect: Effect.Effect<void>) => void

  constructor(handlers: PoolHandlers, fork: (effect: Effect.Effect<void>) => void) {
    this.handlers = handlers
    this.fork = fork
  }

  /** Starts a worker in a slot. */
  start(slot: Slot): void {
    const worker = this.forkProcess()
    if (worker === undefined) {
      this.replace(slot)
      return
    }
    const { pid } = worker.process
    const outbox = Outbox.make(worker)
    const state = { isRetired: false, hasFailed: false }
    const member: Member = {
      pid: pid ?? 0,
      place: slot.place,
      send: outbox.send,
      retire: () => {
        if (state.isRetired || this.phase === "stopping") return
        state.isRetired = true
        this.serving.delete(member)
        outbox.send({ _tag: "stop" })
        this.start(slot)
      },
      kill: () => void worker.process.kill("SIGKILL"),
      fail: (reason) => {
        state.hasFailed = true
        this.fork(Effect.logError("a worker could not start", { pid, reason }))
        outbox.send({ _tag: "stop" })
      }
    }
    const ended = (code: number | null, signal: NodeJS.Signals | null) => {
      this.remove(member)
      if (this.phase === "stopping") return
      // The signal came before the worker had a handler for it.
      if (!outbox.isOpen() && harmless.has(signal)) return this.start(slot)
      if (state.isRetired) return
      if (!state.hasFailed || this.phase === "starting") this.reportDeath(pid, code, signal)
      this.replace(slot)
    }
    this.members.set(member, worker)
    worker.on("message", (batch: ReadonlyArray<ToPrimary>) => {
      outbox.open()
      for (const message of batch) {
        if (message._tag === "serving") {
          this.serving.add(member)
          slot.ends = 0
        }
        this.handlers.onMessage(member, message)
      }
    })
    worker.on("error", ({ message }) => {
      // There is no process, so no "exit" will come.
      if (pid !== undefined || !this.members.has(member)) return
      member.fail(message)
      ended(null, null)
    })
    // The last messages of a process may come after its end.
    const isSilent = new Promise((resolve) => worker.once("disconnect", resolve))
    worker.once("exit", async (code: number | null, signal: NodeJS.Signals | null) => {
      await isSilent
      ended(code, signal)
    })
  }

  killAll(): void {
    for (const worker of this.members.values()) worker.process.kill("SIGKILL")
  }

  /** Tells all members to stop, and kills those that take longer than `patience`. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    this.phase = "stopping"
    for (const timer of this.timers) clearTimeout(timer)
    for (const { send } of this.members.keys()) send({ _tag: "stop" })
    if (this.members.size === 0) return Effect.void
    return Effect.timeoutOrElse(Deferred.await(this.empty), {
      duration: this.handlers.patience(),
      orElse: () =>
        Effect.logError("workers are killed: they did not end", { workers: this.members.size }).pipe(
          Effect.andThen(Effect.sync(() => this.killAll())),
          Effect.andThen(Deferred.await(this.empty))
        )
    })
  })

  private forkProcess(): Worker | undefined {
    try {
      return cluster.fork({ ...InspectorAddresses.environment(), [workerVariable]: "1" })
    } catch (error) {
      // Such as no memory for a process. Other errors come as events.
      if (this.phase === "starting") throw error
      this.fork(Effect.logError("a worker could not start", { reason: (error as Error).message }))
      return undefined
    }
  }

  private remove(member: Member): void {
    this.members.delete(member)
    this.serving.delete(member)
    this.handlers.onEnd(member)
    if (this.phase === "stopping" && this.members.size === 0) Deferred.doneUnsafe(this.empty, Effect.void)
  }

  private reportDeath(pid: number | undefined, code: number | null, signal: NodeJS.Signals | null): void {
    const details = { pid, code, signal }
    if (this.phase === "settled") this.fork(Effect.logError("a worker died", details))
    else {
      const error = new Error(`a worker ended before it listened: ${JSON.stringify(details)}`)
      Deferred.doneUnsafe(this.broken, Effect.die(error))
    }
  }

  /** Starts another worker in the slot of one that ended, after a delay if several have ended there. */
  private replace(slot: Slot): void {
    if (this.phase === "starting") return
    const delay = Respawn.delayAfter(++slot.ends, this.serving.size > 0)
    if (delay === 0) {
      this.start(slot)
      return
    }
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      this.start(slot)
    }, delay)
    this.timers.add(timer)
  }
}
