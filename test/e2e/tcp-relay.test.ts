/**
 * Bytes and endings over real TCP, as the two systems at either side see them.
 *
 * @module-tag transport
 */
import { createHash } from "node:crypto"
import type { Socket } from "node:net"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Program from "../support/program.ts"
import { connect, listen, socketOf, type TcpPeer, tunnel } from "../support/sockets.ts"
import { until } from "../support/until.ts"

const pair = Effect.gen(function* () {
  const program = yield* Program.Program
  const listener = yield* listen()
  const client = yield* tunnel(program.port, listener.port)
  return { program, client, target: yield* listener.accept, clientPort: client.duplex.localPort! }
})

const mebibyte = 1024 * 1024

const large = Buffer.alloc(8 * 1024 * 1024, "large ")

layer(Program.layer(), { excludeTestServices: true })("A session over TCP", (it) => {
  it.effect("drops a client that leaves in the middle of its greeting", () =>
    Effect.gen(function* () {
      const program = yield* Program.Program
      const before = program.descriptors().length
      yield* Effect.scoped(
        Effect.gen(function* () {
          const client = yield* connect(program.port)
          yield* client.send([0x05])
          yield* until(() => program.descriptors().length > before)
        })
      )
      yield* until(() => program.descriptors().length <= before)
    })
  )

  it.effect("relays the target's answer to a client that has sent FIN", () =>
    Effect.gen(function* () {
      const { program, client, target, clientPort } = yield* pair
      yield* client.send("question")
      yield* client.end
      assert.strictEqual(yield* target.ending, "end")
      yield* transfer(target, client)
      const { outcome, sent, received } = yield* program.session(clientPort)
      assert.deepStrictEqual([outcome, sent, received], ["finished", 8, large.length])
    })
  )

  it.effect("relays the client's bytes to a target that has sent FIN", () =>
    Effect.gen(function* () {
      const { program, client, target, clientPort } = yield* pair
      yield* target.send("greeting")
      yield* target.end
      assert.strictEqual(yield* client.ending, "end")
      yield* transfer(client, target)
      const { outcome, sent, received } = yield* program.session(clientPort)
      assert.deepStrictEqual([outcome, sent, received], ["finished", large.length, 8])
    })
  )

  it.effect("passes a reset of the client on to the target", () =>
    Effect.gen(function* () {
      const { program, client, target, clientPort } = yield* pair
      yield* client.send("half of it")
      yield* target.receive(10)
      yield* client.reset
      assert.strictEqual(yield* target.ending, "reset")
      assert.strictEqual(target.error(), "ECONNRESET")
      assert.strictEqual((yield* program.session(clientPort)).outcome, "client reset")
    })
  )

  it.effect("passes a reset of the target on to the client", () =>
    Effect.gen(function* () {
      const { program, client, target, clientPort } = yield* pair
      yield* target.send("half of it")
      yield* client.receive(10)
      yield* target.reset
      assert.strictEqual(yield* client.ending, "reset")
      assert.strictEqual(client.error(), "ECONNRESET")
      assert.strictEqual((yield* program.session(clientPort)).outcome, "target reset")
    })
  )

  const cutOff = {
    "the target a reset that comes with the client's last bytes": "client reset",
    "the client a reset that comes with the target's last bytes": "target reset"
  }
  for (const [name, outcome] of Object.entries(cutOff)) {
    it.effect(`shows ${name}`, () =>
      Effect.gen(function* () {
        const { program, client, target, clientPort } = yield* pair
        const [from, to] = outcome === "client reset" ? [client, target] : [target, client]
        yield* from.send("half of it")
        yield* from.reset
        yield* to.rest
        assert.strictEqual(yield* until(to.error), "ECONNRESET")
        assert.strictEqual((yield* program.session(clientPort)).outcome, outcome)
        // Whether both come in one turn of the event loop is left to chance.
      }).pipe(Effect.scoped, Effect.repeat({ times: 10 }))
    )
  }

  for (const side of ["client", "target"] as const) {
    it.effect(`passes on the FIN of a ${side} that breaks before the FIN is read`, () =>
      Effect.gen(function* () {
        const ends = yield* pair
        const [from, to] = side === "client" ? [ends.client, ends.target] : [ends.target, ends.client]
        yield* from.send("all of it")
        yield* to.receive(9)
        // As a TLS client does that closes without waiting for the other's goodbye,
        // which then gets there first.
        yield* ends.program.kill("SIGSTOP")
        yield* to.send("goodbye")
        from.duplex.destroy()
        yield* Effect.sleep("20 millis")
        yield* ends.program.kill("SIGCONT")
        assert.strictEqual(yield* to.ending, "end")
        yield* to.end
        assert.strictEqual((yield* ends.program.session(ends.clientPort)).outcome, "finished")
        // In which order the system tells of both is left to chance.
      }).pipe(Effect.scoped, Effect.repeat({ times: 5 }))
    )
  }

  it.effect("takes no more of a target whose client left after its FIN, before it got all bytes", () =>
    Effect.gen(function* () {
      const { program, client, target, clientPort } = yield* pair
      yield* client.end
      yield* target.ending
      yield* Effect.forkChild(Effect.forever(target.send(large.subarray(0, mebibyte))))
      yield* client.receive(mebibyte)
      yield* client.reset
      // The target learns of it as from a client without a proxy.
      assert.include(["ECONNRESET", "EPIPE"], yield* until(target.error))
      assert.strictEqual((yield* program.session(clientPort)).outcome, "client reset")
    })
  )

  it.effect("passes a reset on to a side that has sent FIN", () =>
    Effect.gen(function* () {
      const { client, target } = yield* pair
      yield* client.end
      yield* target.ending
      yield* target.send("half of it")
      yield* client.receive(10)
      yield* target.reset
      assert.strictEqual(yield* client.ending, "reset")
      assert.strictEqual(client.error(), "ECONNRESET")
    })
  )

  it.effect("relays 32 MiB each way at the same time, every byte", () =>
    Effect.gen(function* () {
      const { client, target } = yield* pair
      const [up, down, atTarget, atClient] = yield* Effect.all(
        [
          pour(socketOf(client), "up"),
          pour(socketOf(target), "down"),
          drain(target.duplex),
          drain(client.duplex)
        ],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([atTarget, atClient], [up, down])
    })
  )
})

layer(Program.layer(["--idle-timeout", "2s", "--half-close-timeout", "1s"]), {
  excludeTestServices: true,
  concurrent: true
})("A quiet session over TCP", (it) => {
  it.effect("continues as long as bytes move in either direction", () =>
    Effect.gen(function* () {
      const { program, client, target, clientPort } = yield* pair
      for (const sender of [client, client, client, target, target, target]) {
        yield* Effect.sleep("500 millis")
        yield* sender.send("x")
      }
      assert.lengthOf(yield* target.receive(3), 3)
      assert.lengthOf(yield* client.receive(3), 3)
      assert.deepStrictEqual([yield* client.ending, yield* target.ending], ["reset", "reset"])
      assert.strictEqual((yield* program.session(clientPort)).outcome, "idle")
    })
  )

  it.effect("ends sooner after a FIN of one side", () =>
    Effect.gen(function* () {
      const { program, client, target, clientPort } = yield* pair
      yield* client.end
      assert.strictEqual(yield* target.ending, "end")
      for (const _ of [1, 2, 3, 4]) {
        yield* Effect.sleep("300 millis")
        yield* target.send("x")
      }
      assert.lengthOf(yield* client.receive(4), 4)
      assert.strictEqual(yield* client.ending, "reset")
      assert.strictEqual((yield* program.session(clientPort)).outcome, "half-closed")
    })
  )
})

/** Sends what no buffer on the way holds, and the end, and waits for both to arrive. */
const transfer = (from: TcpPeer, to: TcpPeer) =>
  Effect.gen(function* () {
    const socket = socketOf(to)
    from.duplex.end(large)
    assert.strictEqual(yield* collect(socket, () => {}), large.length)
  })

/** Sends 32 MiB that differ from one to the next and by the seed, and their end; gives their hash. */
const pour = (socket: Socket, seed: string): Effect.Effect<string> =>
  Effect.gen(function* () {
    const hash = createHash("sha256")
    for (let i = 0; i < 32; i++) {
      const chunk = Buffer.alloc(mebibyte, `${seed} ${i} `)
      hash.update(chunk)
      if (!socket.write(chunk)) yield* drained(socket)
    }
    socket.end()
    return hash.digest("hex")
  })

const drained = (socket: Socket): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    socket.once("drain", () => resume(Effect.void))
  })

/** The hash of all that comes. */
const drain = (socket: Socket): Effect.Effect<string> =>
  Effect.suspend(() => {
    const hash = createHash("sha256")
    return Effect.map(
      collect(socket, (chunk) => hash.update(chunk)),
      () => hash.digest("hex")
    )
  })

const collect = (socket: Socket, use: (chunk: Buffer) => void): Effect.Effect<number> =>
  Effect.callback<number>((resume) => {
    let length = 0
    socket.on("data", (chunk: Buffer) => {
      length += chunk.length
      use(chunk)
    })
    socket.once("end", () => resume(Effect.succeed(length)))
    socket.resume()
  })
