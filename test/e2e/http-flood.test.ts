/**
 * HTTP heads in masses: what they cost the server in memory and time.
 *
 * @module-tag transport
 */
import { connect, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Program from "../support/program.ts"

const mebibyte = 1024 * 1024

const head = (fields: string) => `GET http://127.0.0.1:9/ HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

const alice = `Proxy-Authorization: Basic ${btoa("alice:secret")}\r\n`

/** Sends this on a new connection, and waits for the first answer. */
const asking = (port: number, bytes: string) =>
  Effect.callback<string>((resume) => {
    const socket = connect(port, "127.0.0.1")
    socket.on("error", () => {})
    socket.once("data", (chunk) => {
      socket.destroy()
      resume(Effect.succeed(chunk.toString("latin1")))
    })
    socket.write(bytes)
  })

describe("Heads of HTTP", () => {
  it.live("sent ahead in megabytes cost no memory", () =>
    Effect.gen(function* () {
      const program = yield* Program.start(["--user", "alice:secret"])
      const before = program.memory()
      const sockets: Array<Socket> = []
      for (const fields of [alice, `${alice}${"a:\r\n".repeat(90)}`, `${alice}${"a:\r\n".repeat(7900)}`]) {
        const one = head(fields)
        const all = Buffer.from(one.repeat(Math.ceil(10_000_000 / one.length)))
        for (let i = 0; i < 30; i++) {
          const socket = connect(program.port, "127.0.0.1")
          socket.on("error", () => {}).write(all)
          sockets.push(socket)
        }
      }
      let most = 0
      for (let i = 0; i < 20; i++) {
        yield* Effect.sleep("100 millis")
        most = Math.max(most, program.memory() - before)
      }
      for (const socket of sockets) socket.destroy()
      // All that was sent is 900 MB, and heads that are parsed take more. Read as they are answered, they take 40 MB.
      assert.isBelow(most, 200 * mebibyte)
    })
  )

  it.live("of 8,000 fields cost no more CPU than others", () =>
    Effect.gen(function* () {
      const program = yield* Program.start(["--user", "alice:secret"])
      /** Milliseconds of the program's time for each. */
      const cost = Effect.fnUntraced(function* (bytes: string, status: string) {
        const before = program.cpu()
        for (let i = 0; i < 100; i++) {
          assert.isTrue((yield* asking(program.port, bytes)).startsWith(`HTTP/1.1 ${status} `))
        }
        return (program.cpu() - before) / 100
      })
      const [few, many] = [head("a:\r\n".repeat(20)), head("a:\r\n".repeat(7950))]
      yield* cost(few, "407")
      assert.isBelow(yield* cost(many, "431"), 2 * (yield* cost(few, "407")))
    })
  )
})
