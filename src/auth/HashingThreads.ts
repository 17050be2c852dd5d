/**
 * Threads that compute hashes of passwords, started when the first is wanted.
 *
 * Where the system is Linux they have the lowest priority of all, so that a flood
 * of logins takes what time the machine has left, and no relay waits for it.
 */
import { createRequire } from "node:module"
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What a thread is asked. */
export type Question =
  | {
      readonly _tag: "Scrypt"
      readonly password: Uint8Array
      readonly salt: Uint8Array
      readonly length: number
      readonly options: {
        readonly N: number
        readonly r: number
        readonly p: number
        readonly maxmem: number
      }
    }
  | { readonly _tag: "Bcrypt"; readonly password: string; readonly hash: string }

/** The derived key, or whether it is the password. */
export type Answer = Uint8Array | boolean

/** Asks a thread all these questions; to be called by no more at once than there may be threads. */
type Ask = (questions: ReadonlyArray<Question>) => Effect.Effect<ReadonlyArray<Answer>>

/** The threads end with the scope. */
export const make: Effect.Effect<Ask, never, Scope.Scope> = Effect.gen(function* () {
  const all = new Set<Worker>()
  const idle: Array<Worker> = []
  yield* Effect.addFinalizer(() => Effect.promise(() => Promise.all([...all].map((it) => it.terminate()))))

  const start = () => {
    const started = new Worker(program, {
      eval: true,
      workerData: createRequire(import.meta.url).resolve("bcryptjs"),
      // Nothing of the process is its business.
      env: {},
      execArgv: []
    })
    all.add(started)
    return started.once("exit", () => {
      all.delete(started)
      const index = idle.indexOf(started)
      if (index !== -1) idle.splice(index, 1)
    })
  }

  return (questions) =>
    Effect.uninterruptible(
      Effect.callback((resume) => {
        const asked = idle.pop() ?? start()
        asked.ref()
        const answer = (answers: ReadonlyArray<Answer>) => {
          idle.push(asked)
          settle(Effect.succeed(answers))
        }
        const fail = (error: unknown) => settle(Effect.die(error))
        const settle = (result: Effect.Effect<ReadonlyArray<Answer>>) => {
          asked.off("message", answer).off("error", fail).off("exit", fail).unref()
          resume(result)
        }
        asked.on("message", answer).on("error", fail).on("exit", fail)
        asked.postMessage(questions)
      })
    )
})

/** A text and not a file, so that it is there in every form that this program is built to. */
const program = `
const { readlinkSync } = require("node:fs")
const { scryptSync } = require("node:crypto")
const { constants, setPriority } = require("node:os")
const { parentPort, workerData } = require("node:worker_threads")
try {
  // Linux has a priority for each thread (setpriority(2)).
  const [, thread] = /\\/task\\/(\\d+)$/.exec(readlinkSync("/proc/thread-self"))
  setPriority(Number(thread), constants.priority.PRIORITY_LOW)
} catch {}
parentPort.on("message", (questions) => {
  const answers = questions.map(({ _tag, ...it }) =>
    _tag === "Bcrypt"
      ? require(workerData).compareSync(it.password, it.hash)
      : scryptSync(it.password, it.salt, it.length, it.options)
  )
  parentPort.postMessage(answers)
})
`
