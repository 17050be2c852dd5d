/**
 * Much of everything: bytes nobody reads, sessions at once, and more
 * connections than there are descriptors.
 *
 * @module-tag transport
 */
import { spawnSync } from "node:child_process"
import type { Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Program from "../support/program.ts"
import { ask, connect, echo, listen, socketOf, type TcpPeer, tunnel } from "../support/sockets.ts"
import { until } from "../support/until.ts"

const mebibyte = 1024 * 1024

describe.concurrent("A side that does not read", () => {
  const cases = {
    "the client": (client: TcpPeer, target: TcpPeer) => ({ sender: target, reader: client }),
    "the target": (client: TcpPeer, target: TcpPeer) => ({ sender: client, reader: target })
  }
  for (const [name, roles] of Object.entries(cases)) {
    it.live(`stops the other side's sending and costs no memory: ${name}`, () =>
      Effect.gen(function* () {
        const program = yield* Program.start()
        const listener = yield* listen()
        const pairs = yield* Effect.forEach([1, 2, 3, 4], () =>
          Effect.gen(function* () {
            const client = yield* tunnel(program.port, listener.port)
            return roles(client, yield* listener.accept)
          })
        )
        const memory = program.memory()
        const readers = pairs.map(({ reader }) => socketOf(reader))
        const senders = pairs.map(({ sender }) => sender.duplex)
        for (const sender of senders) sendOn(sender)
        const moved = yield* stalled(() => senders.reduce((sum, sender) => sum + left(sender), 0))
        assert.isBelow(program.memory() - memory, 60 * mebibyte)

        // Stopped, not stuck: it all comes once it is asked for, and then more.
        let got = 0
        for (const reader of readers) reader.on("data", (chunk: Buffer) => (got += chunk.length)).resume()
        yield* until(() => got > moved + mebibyte)
      })
    )
  }
})

/** Sends without end, as fast as the system takes it. */
const sendOn = (socket: Socket) => {
  const chunk = Buffer.alloc(65_536, "endless ")
  const write = () => {
    while (socket.write(chunk)) {}
  }
  socket.on("drain", write)
  write()
}

/** Bytes that the system has taken from a socket. */
const left = (socket: Socket) => socket.bytesWritten - socket.writableLength

/** Waits until a count has not changed for a second. */
const stalled = (count: () => number): Effect.Effect<number> =>
  Effect.gen(function* () {
    for (let before = -1, same = 0; same < 5; ) {
      yield* Effect.sleep("200 millis")
      const now = count()
      same = now === before ? same + 1 : 0
      before = now
      if (now > 1024 * mebibyte) return yield* Effect.die(new Error("the sender is never stopped"))
    }
    return count()
  })

describe.concurrent("A thousand sessions", () => {
  it.live("run at once, and leave nothing behind", () =>
    Effect.gen(function* () {
      const program = yield* Program.start()
      const target = yield* echo()
      const before = program.descriptors().length
      yield* Effect.scoped(
        Effect.gen(function* () {
          const names = Array.from({ length: 1000 }, (_, i) => `this is ${i + 1000}`)
          const clients = yield* Effect.forEach(names, () => tunnel(program.port, target.port), {
            concurrency: 100
          })
          assert.strictEqual(program.descriptors().length, before + 2000)
          yield* Effect.forEach(clients, (client, i) => client.send(names[i]!))
          const echoed = yield* Effect.forEach(clients, (client) => client.receive(12))
          assert.deepStrictEqual(
            echoed.map((bytes) => new TextDecoder().decode(bytes)),
            names
          )
        })
      )
      yield* until(() => program.descriptors().length <= before)
    })
  )
})

describe.concurrent("A server short of descriptors", () => {
  it.live("refuses new connections, serves the open ones, pauses, and recovers by itself", () =>
    Effect.gen(function* () {
      const program = yield* Program.start([], Program.withFiles(128))
      const target = yield* echo()
      const before = program.descriptors().length
      const existing = yield* tunnel(program.port, target.port)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const answers = yield* Effect.forEach(
            Array.from({ length: 300 }),
            () => ask(program.port, "127.0.0.1", target.port),
            { concurrency: 50 }
          )
          const codes = new Set(answers.map(({ code }) => code))
          assert.isTrue(codes.has(0x00), "some are served")
          for (const code of codes) assert.include([0x00, 0x01, undefined], code)
          assert.isAbove(answers.filter(({ code }) => code !== 0x00).length, 200)
          // And those who take what is left and then say nothing.
          yield* Effect.forEach(Array.from({ length: 50 }), () => connect(program.port))
          yield* Effect.forEach([1, 2, 3], () => echoes(existing))
          yield* rests(program)
        })
      )
      yield* until(() => program.descriptors().length <= before + 2)
      yield* echoes(existing)
      yield* Effect.flatMap(tunnel(program.port, target.port), echoes)
    })
  )

  it.live("survives a system without free descriptors", (context) =>
    Effect.gen(function* () {
      const program = yield* Program.start()
      if (!leaveDescriptors(program, 1000)) return context.skip("prlimit is not there or not permitted")
      const target = yield* echo()
      const existing = yield* tunnel(program.port, target.port)

      // One for the client, none for the target.
      leaveDescriptors(program, 1)
      const { client, code } = yield* ask(program.port, "127.0.0.1", target.port)
      assert.strictEqual(code, 0x01)
      assert.strictEqual(yield* client.ending, "end")
      yield* client.end
      assert.strictEqual((yield* program.session(client.duplex.localPort!)).outcome, "OutOfResources")

      leaveDescriptors(program, 0)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.forEach(Array.from({ length: 50 }), () => connect(program.port))
          yield* rests(program)
          yield* echoes(existing)
        })
      )

      leaveDescriptors(program, 1000)
      yield* Effect.flatMap(tunnel(program.port, target.port), echoes)
      yield* echoes(existing)
    })
  )
})

const echoes = (client: TcpPeer) =>
  Effect.gen(function* () {
    yield* client.send("still there")
    assert.strictEqual(new TextDecoder().decode(yield* client.receive(11)), "still there")
  })

/** Nothing happens, so it has nothing to do: a loop that spins would take the whole second. */
const rests = (program: Program.Program) =>
  Effect.gen(function* () {
    const before = program.cpu()
    yield* Effect.sleep("1 second")
    assert.isBelow(program.cpu() - before, 500)
  })

/** Sets the limit on open files so that just this many can be opened; says whether that worked. */
const leaveDescriptors = (program: Program.Program, count: number): boolean => {
  const taken = new Set(program.descriptors())
  let limit = 0
  for (let free = 0; free < count || taken.has(limit); limit++) if (!taken.has(limit)) free++
  return spawnSync("prlimit", ["--pid", `${program.pid}`, `--nofile=${limit}:`]).status === 0
}
