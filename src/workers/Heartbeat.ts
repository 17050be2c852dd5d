/**
 * The heartbeat of workers. The primary asks all workers at each beat, and kills one
 * that does not run: it would hold up reloads, and keep slots of sessions from others.
 */
import { readFileSync } from "node:fs"

/** The question to a worker, and the answer. */
export interface Ping {
  readonly _tag: "ping"
}
export interface Pong {
  readonly _tag: "pong"
}

/** A worker, as far as the heartbeat needs it. */
interface Watched {
  readonly pid: number
  readonly send: (ping: Ping) => void
  readonly kill: () => void
}

export interface Heartbeat<Worker> {
  /** Watches a worker from now on. */
  readonly add: (worker: Worker) => void
  readonly remove: (worker: Worker) => void
  /** Takes a worker's answer. */
  readonly receive: (worker: Worker) => void
  /** Asks all workers. Kills those that do not run, and returns them. To be called at every `interval`. */
  readonly beat: () => ReadonlyArray<Worker>
  /** Beats since its last answer. */
  readonly missedBeats: (worker: Worker) => number
  /** Whether a worker has not answered for so long that nothing need wait for it. */
  readonly isLate: (worker: Worker) => boolean
}

/** Milliseconds between two beats. */
export const interval = 500

/**
 * Number of beats without an answer after which a worker is late. Milliseconds would
 * go on while the primary itself is stopped.
 */
const late = 3

/** Number of beats without an answer after which a worker is killed, unless it is stopped by a signal. */
const killAfter = 60

/** `isStopped` tells whether the process of a late worker is stopped by a signal. */
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
        if (count >= killAfter || (count >= late && isStopped(worker.pid))) {
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
    missedBeats: (worker) => missed.get(worker) ?? 0,
    isLate: (worker) => (missed.get(worker) ?? 0) >= late
  }
}

/** Whether a process is stopped, as by SIGSTOP: proc_pid_stat(5). False where the system does not tell. */
export const isStopped = (pid: number): boolean => {
  try {
    // The state comes after the name, which may have parentheses in it.
    return /^ T/.test(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\)/s, ""))
  } catch {
    return false
  }
}
