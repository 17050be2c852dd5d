/**
 * bcrypt, which Node does not have, in a thread that is started when the first
 * hash of it is to be verified.
 */
import { createRequire } from "node:module"
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Whether a password is the one hashed; one question at a time. */
export type Verify = (password: Uint8Array, hash: string) => Effect.Effect<boolean>

/** The thread ends with the scope. */
export const make: Effect.Effect<Verify, never, Scope.Scope> = Effect.gen(function* () {
  let worker: Worker | undefined
  yield* Effect.addFinalizer(() => Effect.promise(async () => void (await worker?.terminate())))

  const start = () => {
    const started = new Worker(program, {
      eval: true,
      workerData: createRequire(import.meta.url).resolve("bcryptjs"),
      // Nothing of the process is its business.
      env: {},
      execArgv: []
    })
    return started.once("exit", () => {
      if (worker === started) worker = undefined
    })
  }

  const ask = (password: string, hash: string) =>
    Effect.callback<boolean>((resume) => {
      const asked = worker ?? start()
      worker = asked
      asked.ref()
      const answer = (isRight: boolean) => settle(Effect.succeed(isRight))
      const fail = (error: unknown) => settle(Effect.die(error))
      const settle = (result: Effect.Effect<boolean>) => {
        asked.off("message", answer).off("error", fail).off("exit", fail).unref()
        resume(result)
      }
      asked.on("message", answer).on("error", fail).on("exit", fail)
      asked.postMessage([password, hash])
    })

  return (password, hash) => {
    const text = lenient.decode(password)
    // bcrypt repeats a password with a NUL behind it until there are 72 bytes: `a` and
    // `a\0a` are one to it. And bytes that are no text would become the same text.
    const isPlain = !password.includes(0) && Buffer.from(text).equals(password)
    return Effect.uninterruptible(Effect.map(ask(text, hash), (isRight) => isRight && isPlain))
  }
})

const lenient = new TextDecoder("utf-8", { ignoreBOM: true })

/** A text and not a file, so that it is there in every form that this program is built to. */
const program = `
const { parentPort, workerData } = require("node:worker_threads")
const { compareSync } = require(workerData)
parentPort.on("message", ([password, hash]) => parentPort.postMessage(compareSync(password, hash)))
`
