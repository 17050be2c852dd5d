/**
 * How a connection is left: the last reply arrives, nobody holds the server up,
 * and what was broken off looks broken off.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as Client from "../../src/network/Client.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import { pair, peer } from "../../src/testing/index.ts"
import { settled } from "../support/streams.ts"

const lastWords = Uint8Array.of(5, 255)

/** A client that the test closes. */
const opened = Effect.sync(() => {
  const [near, far] = pair()
  const client = Client.make(NodeTransport.make(far))
  const close = (exit: Exit.Exit<void>) => Effect.forkChild(client.close(exit))
  return { near, far, client, close }
})

describe("Client, when it is closed", () => {
  it.effect("delivers the last reply and waits for the client to hang up", () =>
    Effect.gen(function* () {
      const { near, far, client, close } = yield* opened
      const remote = peer(near)
      yield* client.reply(lastWords)
      const closing = yield* close(Exit.void)
      assert.deepStrictEqual(yield* remote.rest, lastWords)
      assert.strictEqual(yield* remote.ending, "end")
      yield* settled
      assert.isUndefined(closing.pollUnsafe())
      yield* remote.end
      yield* Fiber.join(closing)
      assert.isTrue(far.destroyed)
    })
  )

  it.effect("does the same after a failure", () =>
    Effect.gen(function* () {
      const { near, client, close } = yield* opened
      const remote = peer(near)
      yield* client.reply(lastWords)
      const closing = yield* close(Exit.die("a bug"))
      assert.deepStrictEqual(yield* remote.rest, lastWords)
      assert.strictEqual(yield* remote.ending, "end")
      yield* remote.end
      yield* Fiber.join(closing)
    })
  )

  it.effect("reads the remaining bytes of the client, so that no reset overtakes the reply", () =>
    Effect.gen(function* () {
      const { near, far, client, close } = yield* opened
      near.write(new Uint8Array(1024 * 1024))
      yield* settled
      yield* client.reply(lastWords)
      const closing = yield* close(Exit.void)
      yield* settled
      near.write(new Uint8Array(1024 * 1024))
      yield* settled
      assert.strictEqual(near.writableLength, 0)
      assert.strictEqual(far.readableLength, 0)
      const remote = peer(near)
      yield* remote.end
      assert.deepStrictEqual(yield* remote.rest, lastWords)
      yield* Fiber.join(closing)
    })
  )

  for (const [what, reads] of [
    ["never hangs up", true],
    ["does not even read", false]
  ] as const) {
    it.effect(`gives a client that ${what} two seconds`, () =>
      Effect.gen(function* () {
        const { near, far, client, close } = yield* opened
        if (reads) near.resume()
        yield* client.reply(new Uint8Array(1024 * 1024))
        const closing = yield* close(Exit.void)
        yield* settled
        yield* TestClock.adjust("1999 millis")
        yield* settled
        assert.isUndefined(closing.pollUnsafe())
        assert.isFalse(far.destroyed)
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(closing)
        assert.isTrue(far.destroyed)
      })
    )
  }

  it.effect("resets after an interruption", () =>
    Effect.gen(function* () {
      const { near, client, close } = yield* opened
      const remote = peer(near)
      yield* client.reply(lastWords)
      yield* Fiber.join(yield* close(Exit.interrupt(1)))
      assert.strictEqual(yield* remote.ending, "reset")
    })
  )

  it.effect("ends at once if the client is gone", () =>
    Effect.gen(function* () {
      const { near, far, close } = yield* opened
      near.destroy()
      yield* settled
      assert.isTrue(far.destroyed)
      yield* Fiber.join(yield* close(Exit.void))
    })
  )

  it.effect("writes nothing after the close, and nothing to a client that is gone", () =>
    Effect.gen(function* () {
      const ended = yield* opened
      const errors: Array<unknown> = []
      ended.far.on("error", (error) => errors.push(error))
      const remote = peer(ended.near)
      yield* remote.end
      yield* Fiber.join(yield* ended.close(Exit.void))
      yield* ended.client.reply(lastWords)
      assert.lengthOf(yield* remote.rest, 0)

      const broken = yield* opened
      broken.near.destroy()
      yield* settled
      const before = broken.far.errored
      yield* broken.client.reply(lastWords)
      yield* settled
      assert.strictEqual(broken.far.errored, before)
      assert.deepStrictEqual(errors, [])
    })
  )
})
