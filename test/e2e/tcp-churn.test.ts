/**
 * Thousands of connections, good and bad, and what is left of them: nothing.
 *
 * @module-tag transport
 */
import { randomBytes, randomInt } from "node:crypto"
import { connect as dial, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { greeting, request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import { echo, tunnel } from "../support/sockets.ts"
import { until } from "../support/until.ts"

describe("A server after many connections", () => {
  it.live("has as many descriptors and as much memory as before", () =>
    Effect.gen(function* () {
      const program = yield* Program.start(["--handshake-timeout", "3s"], { nodeFlags: countingFlags })
      const target = yield* echo("0.0.0.0")
      const many = (count: number, visit: (socket: Socket, index: number) => void) =>
        Effect.forEach(
          Array.from({ length: count }, (_, index) => index),
          (index) => open(program.port, index, (socket) => visit(socket, index)),
          { concurrency: 50, discard: true }
        )
      const before = program.descriptors().length
      const settled = until(() => program.descriptors().length <= before)
      let echoed = 0
      const short = (socket: Socket, index: number) => {
        const host = loopback(index)
        socket.write(Uint8Array.from([...greeting(0x00), ...request(host, target.port), 0x68, 0x69]))
        let received = 0
        socket.on("data", (chunk: Buffer) => {
          received += chunk.length
          if (received < 2 + 10 + 2) return
          echoed++
          socket.end()
        })
      }

      yield* many(500, short)
      yield* settled
      const first = { ...(yield* live(program)), memory: program.memory() }
      yield* many(1000, short)
      assert.strictEqual(echoed, 1500)
      yield* many(500, garbage)
      yield* settled

      const last = yield* live(program)
      // Measured are 50 at most. One object of each connection would be 1000 or 500.
      assert.isBelow(last.objects - first.objects, 250)
      // Measured is less than half of it, which is compiled code. It would be a kilobyte of each session.
      assert.isBelow(last.bytes - first.bytes, mebibyte)
      // What is outside of the heap, measured as 2 MiB. It would be 10 kB of each connection.
      assert.isBelow(program.memory() - first.memory, 16 * mebibyte)
      const client = yield* tunnel(program.port, target.port)
      yield* client.send("still there")
      assert.lengthOf(yield* client.receive(11), 11)
    })
  )
})

const mebibyte = 1024 * 1024

/** On a signal, the program collects its garbage and logs how many objects and bytes are left. */
const countingFlags = [
  "--expose-gc",
  "--import",
  `data:text/javascript,${encodeURIComponent(`import { queryObjects } from "node:v8"
  process.on("SIGUSR2", () => {
    gc()
    const objects = queryObjects(Object, { format: "count" })
    gc()
    const { heapUsed, external } = process.memoryUsage()
    console.log(JSON.stringify({ message: "live", objects, bytes: heapUsed + external }))
  })`)}`
]

const live = Effect.fnUntraced(function* (program: Program.Program) {
  const before = program.lines().length
  yield* program.kill("SIGUSR2")
  const { objects, bytes } = yield* program.until(() =>
    program
      .lines()
      .slice(before)
      .find(({ message }) => message === "live")
  )
  return { objects: Number(objects), bytes: Number(bytes) }
})

/** One of several addresses of this machine, so that no two of them run out of ports. */
const loopback = (index: number) => `127.0.0.${1 + (index % 200)}`

/** A client that does its business, until its connection is closed. */
const open = (port: number, index: number, visit: (socket: Socket) => void): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const socket = dial({ port, host: "127.0.0.1", localAddress: loopback(index), noDelay: true })
    socket.on("error", () => {}).once("close", () => resume(Effect.void))
    socket.once("connect", () => visit(socket))
  })

/** Bytes that mean nothing, or only up to some point and never a target, and one of three ends. */
const garbage = (socket: Socket, index: number) => {
  const start = [[], [0x05], greeting(0x00), [...greeting(0x00), 0x05, 0x09, 0x00]][randomInt(4)]!
  socket.write(Buffer.from([...start, ...randomBytes(randomInt(1, 300))]))
  socket.resume()
  // Some reset, some hang up, and a few wait for the server to do it.
  if (index % 30 === 0) return
  if (index % 2 === 0) setImmediate(() => socket.resetAndDestroy())
  else setImmediate(() => socket.end())
}
