/**
 * Whether workers still run. The primary asks all of them at each beat; a worker
 * that does not run holds up reloads, and has sessions leased that nobody gets.
 */
import { readFileSync } from "node:fs"

/** To a worker, and the answer. */
export interface Ping {
  readonly _tag: "ping"
}
export interface Pong {
  readonly _tag: "pong"
}

/** A worker, as far as it is watched. */
interface Watched {
  readonly pid: number
  readonly send: (ping: Ping) => void
  readonly kill: () => void
}

export interface Heartbeat<Worker> {
  /** Watches it from now on. */
  readonly add: (worker: Worker) => void
  readonly remove: (worker: Worker) => void
  /** Its answer. */
  readonly receive: (worker: Worker) => void
  /** Asks all; to be called at every `interval`. Kills those that do not run, and returns them. */
  readonly beat: () => ReadonlyArray<Worker>
  /** Beats since its last answer. */
  readonly missed: (worker: Worker) => number
  /** Whether it has not answered for so long that others need not wait for it. */
  readonly isLate: (worker: Worker) => boolean
}

/** Milliseconds between two beats. */
export const interval = 500

/**
 * Beats without an answer after which a worker is late. Beats are counted, and not
 * milliseconds, which pass while the primary itself is stopped.
 */
const late = 3

/** Beats after which a worker is killed that is not stopped. Busy for so long, it serves nobody. */
const most = 60

/** `isStopped` is asked for the process of a worker that is late. */
export const make = <Worker extends Watched>(isStopped: (pid: number) => boolean): Heartbeat<Worker> => {
  /** Beats since the last answer. */
  const missed = new Map<Worker, number>()
  return {
    add: (worker) => void missed.set(worker, 0),
    remove: (worker) => void missed.delete(worker),
    receive: (worker) => {
      if (missed.has(worker)) missed.set(worker, 0)
    },
    beat: () => {
      const killed: Array<Worker> = []
      for (const [worker, count] of missed) {
        if (count >= most || (count >= late && isStopped(worker.pid))) {
          missed.delete(worker)
          killed.push(worker)
          worker.kill()
        } else {
          missed.set(worker, count + 1)
          worker.send({ _tag: "ping" })
        }
      }
      return killed
    },
    missed: (worker) => missed.get(worker) ?? 0,
    isLate: (worker) => (missed.get(worker) ?? 0) >= late
  }
}

/** Whether a process is stopped, as by SIGSTOP: proc_pid_stat(5). Where there is no telling it is not. */
export const isStopped = (pid: number): boolean => {
  try {
    // The state comes after the name, which may have parentheses in it.
    return /^ T/.test(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\)/s, ""))
  } catch {
    return false
  }
}
