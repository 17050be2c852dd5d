/**
 * Threads that compute password hashes, each started when it is first needed.
 *
 * On Linux the threads have the lowest priority, so that a flood of logins does not delay the relays.
 */
import { createRequire } from "node:module"
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** A hash to compute in a thread. */
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

/** The derived key for scrypt; for bcrypt, whether the password is right. */
export type Answer = Uint8Array | boolean

/**
 * Computes these hashes in one thread, one after the other. Each concurrent call has a thread of its own, so the caller
 * limits the number of calls.
 */
type Ask = (questions: ReadonlyArray<Question>) => Effect.Effect<ReadonlyArray<Answer>>

/** The threads end when the scope closes. */
export const make: Effect.Effect<Ask, never, Scope.Scope> = Effect.gen(function* () {
  const all = new Set<Worker>()
  const idle: Array<Worker> = []
  yield* Effect.addFinalizer(() =>
    Effect.promise(() => Promise.all([...all].map((thread) => thread.terminate())))
  )

  const start = () => {
    const started = new Worker(program, {
      eval: true,
      workerData: createRequire(import.meta.url).resolve("bcryptjs"),
      // The thread gets no environment, which can have secrets.
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
          finish(Effect.succeed(answers))
        }
        const fail = (error: unknown) => finish(Effect.die(error))
        const finish = (result: Effect.Effect<ReadonlyArray<Answer>>) => {
          asked.off("message", answer).off("error", fail).off("exit", fail).unref()
          resume(result)
        }
        asked.on("message", answer).on("error", fail).on("exit", fail)
        asked.postMessage(questions)
      })
    )
})

/** The program of a thread: a text and no file, so that every build contains it. */
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
  const answers = questions.map(({ _tag, ...hash }) =>
    _tag === "Bcrypt"
      ? require(workerData).compareSync(hash.password, hash.hash)
      : scryptSync(hash.password, hash.salt, hash.length, hash.options)
  )
  parentPort.postMessage(answers)
})
`
