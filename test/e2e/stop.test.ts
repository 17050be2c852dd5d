/**
 * How the program stops: in its own time, in a hurry, and with clients that do
 * not help.
 *
 * @module-tag transport
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

describe.concurrent("stopping", () => {
  it.live("lets a session finish, and accepts no new one", () =>
    Effect.gen(function* () {
      const server = yield* Program.start()
      const { client, origin } = yield* Tcp.session(server.port)
      yield* server.kill("SIGTERM")
      yield* server.logged({ message: "draining", connections: 1 })
      assert.strictEqual(yield* Effect.flip(Tcp.connect(server.port)), "ECONNREFUSED")

      yield* client.send("a question")
      yield* client.end
      assert.strictEqual(text(yield* origin.rest), "a question")
      yield* origin.send("an answer")
      yield* origin.end
      assert.strictEqual(text(yield* client.rest), "an answer")
      assert.strictEqual(yield* client.ending, "end")

      const { code, stderr } = yield* server.within("5 seconds")
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.deepInclude(server.lines().at(-1), { outcome: "finished", sent: 10, received: 9 })
    })
  )

  it.live(
    "resets sessions that do not finish within the drain timeout: also a silent client, and one that does not read",
    () =>
      Effect.gen(function* () {
        const server = yield* Program.start(["--drain-timeout", "300ms"])
        const silent = yield* Tcp.connect(server.port)
        // Served before this one.
        const { client, origin } = yield* Tcp.session(server.port)
        const stuck = yield* Tcp.session(server.port)
        stuck.client.duplex.pause()
        yield* stuck.origin.send(new Uint8Array(32 * 1024 * 1024))
        yield* Effect.promise(() => untilStuck(() => stuck.origin.duplex.writableLength))
        const { code } = yield* server.stop
        assert.strictEqual(yield* client.ending, "reset")
        assert.strictEqual(yield* origin.ending, "reset")
        assert.strictEqual(yield* silent.ending, "reset")
        assert.strictEqual(code, 0)
        const ended = server.lines().filter(({ outcome }) => outcome === "closed by server")
        assert.isAtLeast(ended.length, 2)
      })
  )

  it.live("does not wait for sessions after a second signal", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--drain-timeout", "1m"])
      yield* Tcp.session(server.port)
      yield* server.kill("SIGINT")
      yield* server.logged({ message: "draining" })
      yield* server.kill("SIGTERM")
      assert.strictEqual((yield* server.within("5 seconds")).code, 143)
    })
  )

  it.live("takes the same signal twice within a second as one", () =>
    Effect.gen(function* () {
      const server = yield* Program.start()
      const { client, origin } = yield* Tcp.session(server.port)
      yield* server.kill("SIGINT")
      // Nothing is waited for: a second later it is another one.
      yield* Effect.sleep("50 millis")
      yield* server.kill("SIGINT")
      yield* server.logged({ message: "draining" })
      yield* client.send("a question")
      yield* client.end
      assert.strictEqual(text(yield* origin.rest), "a question")
      yield* origin.end
      const { code, stderr } = yield* server.within("5 seconds")
      assert.deepStrictEqual([code, stderr], [0, ""])
    })
  )
})

/** Waits until the kernel and the server take no more: a number that has stopped falling. */
const untilStuck = async (pending: () => number) => {
  let before = Number.POSITIVE_INFINITY
  for (let after = pending(); after < before; after = pending()) {
    before = after
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  assert.isAbove(before, 0)
}
