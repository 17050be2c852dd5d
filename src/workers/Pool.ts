/**
 * The worker processes. One that ends is replaced, so that their number stays the same.
 */
import cluster, { type Worker } from "node:cluster"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Inspector from "../base/Inspector.ts"
import * as MessageBatch from "./MessageBatch.ts"
import type { Texts, ToPrimary, ToWorker } from "./Messages.ts"
import * as Pieces from "./Pieces.ts"
import * as Respawn from "./Respawn.ts"
import { workerVariable } from "./WorkerVariable.ts"

/** One worker process. */
export interface Member {
  readonly pid: number
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
  /** Dies when a member ends before `settled` is called. */
  readonly broken: Effect.Effect<never>
  /** Members that end are replaced from now on. */
  readonly replaceEndedWorkers: () => void
}

/** The place of one worker at a time. */
interface Slot {
  /** Number of workers that ended here since the last one began to serve. */
  ends: number
}

/** Signals that end a process only in its first moments. Some send them to all processes of a group, or of a name. */
const harmless: ReadonlySet<NodeJS.Signals | null> = new Set(["SIGHUP", "SIGUSR1", "SIGUSR2"] as const)

/** `count` processes of this program. When the scope closes they are told to stop, and killed if they take longer than `patience`. */
export const make = Effect.fnUntraced(function* (
  count: number,
  { onMessage, onEnd, patience }: PoolHandlers
): Effect.fn.Return<Pool, never, Scope.Scope> {
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const members = new Map<Member, Worker>()
  const timers = new Set<NodeJS.Timeout>()
  const empty = Deferred.makeUnsafe<void>()
  const broken = Deferred.makeUnsafe<never>()
  let phase: "starting" | "settled" | "stopping" = "starting"
  /** Those that serve. */
  const serving = new Set<Member>()

  cluster.schedulingPolicy = cluster.SCHED_NONE
  // Arrays of numbers are copied as they are.
  cluster.setupPrimary({ serialization: "advanced" })

  const forkProcess = (): Worker | undefined => {
    try {
      return cluster.fork({ ...Inspector.environment(), [workerVariable]: "1" })
    } catch (error) {
      // Such as no memory for a process. Other errors come as events.
      if (phase === "starting") throw error
      fork(Effect.logError("a worker could not start", { reason: (error as Error).message }))
      return undefined
    }
  }

  const startWorker = (slot: Slot): void => {
    const worker = forkProcess()
    if (worker === undefined) {
      replace(slot)
      return
    }
    let isRetired = false
    let hasFailed = false
    const post = MessageBatch.outgoing<ToWorker>(
      (batch) => {
        // The worker has ended.
        if (worker.isConnected()) worker.process.send(batch, undefined, undefined, () => {})
      },
      ({ _tag }) => _tag === "piece"
    )
    /** A message before the worker listens would be lost. */
    let early: Array<ToWorker> | undefined = []
    const queue = (message: ToWorker) => (early ? void early.push(message) : post(message))
    const send = (message: ToWorker) => {
      if (!("texts" in message)) return queue(message)
      const { value, pieces } = Pieces.apart(message.texts)
      for (const piece of pieces) queue(piece)
      queue({ ...message, texts: value as Texts })
    }
    const retire = () => {
      if (isRetired || phase === "stopping") return
      isRetired = true
      serving.delete(member)
      send({ _tag: "stop" })
      startWorker(slot)
    }
    const { pid } = worker.process
    const fail = (reason: string) => {
      hasFailed = true
      fork(Effect.logError("a worker could not start", { pid, reason }))
      send({ _tag: "stop" })
    }
    const kill = () => void worker.process.kill("SIGKILL")
    const member: Member = { pid: pid ?? 0, send, retire, kill, fail }
    members.set(member, worker)
    worker.on("message", (batch: ReadonlyArray<ToPrimary>) => {
      const kept = early ?? []
      early = undefined
      kept.forEach(post)
      for (const message of batch) {
        if (message._tag === "serving") {
          serving.add(member)
          slot.ends = 0
        }
        onMessage(member, message)
      }
    })
    worker.on("error", ({ message }) => {
      // There is no process, so no "exit" will come.
      if (pid !== undefined || !members.has(member)) return
      fail(message)
      ended(null, null)
    })
    // The last messages of a process may come after its end.
    const isSilent = new Promise((resolve) => worker.once("disconnect", resolve))
    worker.once("exit", async (code: number | null, signal: NodeJS.Signals | null) => {
      await isSilent
      ended(code, signal)
    })
    const ended = (code: number | null, signal: NodeJS.Signals | null) => {
      members.delete(member)
      serving.delete(member)
      onEnd(member)
      if (phase === "stopping") {
        if (members.size === 0) Deferred.doneUnsafe(empty, Effect.void)
      } else if (early && harmless.has(signal)) {
        // The signal came before the worker had a handler for it.
        startWorker(slot)
      } else if (!isRetired) {
        if (!hasFailed || phase === "starting") reportDeath(pid, code, signal)
        replace(slot)
      }
    }
  }

  const reportDeath = (pid: number | undefined, code: number | null, signal: NodeJS.Signals | null) => {
    const details = { pid, code, signal }
    if (phase === "settled") return void fork(Effect.logError("a worker died", details))
    const error = new Error(`a worker ended before it listened: ${JSON.stringify(details)}`)
    Deferred.doneUnsafe(broken, Effect.die(error))
  }

  const replace = (slot: Slot) => {
    if (phase === "starting") return
    const delay = Respawn.delayAfter(++slot.ends, serving.size > 0)
    if (delay === 0) return startWorker(slot)
    const timer = setTimeout(() => {
      timers.delete(timer)
      startWorker(slot)
    }, delay)
    timers.add(timer)
  }

  const killAll = () => {
    for (const worker of members.values()) worker.process.kill("SIGKILL")
  }
  process.on("exit", killAll)

  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      phase = "stopping"
      for (const timer of timers) clearTimeout(timer)
      for (const { send } of members.keys()) send({ _tag: "stop" })
      if (members.size > 0) {
        const ended = yield* Effect.timeoutOption(Deferred.await(empty), patience())
        if (Option.isNone(ended)) {
          yield* Effect.logError("workers are killed: they did not end", { workers: members.size })
          killAll()
          yield* Deferred.await(empty)
        }
      }
      process.off("exit", killAll)
    })
  )

  return {
    start: () => {
      for (let i = 0; i < count; i++) startWorker({ ends: 0 })
    },
    broken: Deferred.await(broken),
    replaceEndedWorkers: () => {
      phase = "settled"
    }
  }
})
