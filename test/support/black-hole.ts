/**
 * A port on loopback that answers no connection, as if all its packets were lost.
 */
import { spawn } from "node:child_process"
import { connect as dial } from "node:net"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The port of a process that listens, and then is stopped with its accept queue full. */
export const blackHole = Effect.fnUntraced(function* (
  host = "127.0.0.1",
  port = 0
): Effect.fn.Return<number, never, Scope.Scope> {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["-e", listening, host, String(port)], { stdio: ["ignore", "pipe", "inherit"] })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const bound = yield* Effect.callback<number>((resume) => {
    child.stdout.once("data", (text: Buffer) => resume(Effect.succeed(Number(text))))
  })
  child.kill("SIGSTOP")
  const fillers = yield* Effect.acquireRelease(
    Effect.sync(() => Array.from({ length: 8 }, () => dial({ host, port: bound }).on("error", () => {}))),
    (sockets) => Effect.sync(() => sockets.map((socket) => socket.destroy()))
  )
  yield* Effect.sleep("200 millis")
  assert.isTrue(fillers.at(-1)!.connecting, "its queue is full")
  return bound
})

const listening = `
  const server = require("node:net").createServer()
  const [host, port] = process.argv.slice(1)
  server.listen({ host, port: Number(port), backlog: 1 }, () => console.log(server.address().port))
`
