/**
 * How long a relay lives in which nothing moves.
 */
import { Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import { Relay } from "../../src/network/Relay.ts"
import * as Config from "../../src/server/Config.ts"
import { relaying } from "../support/relays.ts"
import { settled } from "../support/streams.ts"

const layer = (idle: Duration.Duration, halfClose: Duration.Duration) =>
  Layer.provide(Relay.layer, Config.layer({ idleTimeout: idle, halfCloseTimeout: halfClose }))

const tenAndTwo = layer(Duration.seconds(10), Duration.seconds(2))

/** A TCP connection, not connected, that notes when it is to be kept alive. */
const kept = () => {
  const calls: Array<ReadonlyArray<unknown>> = []
  const socket = Object.assign(new Socket(), {
    setKeepAlive: (...call: ReadonlyArray<unknown>) => {
      calls.push(call)
      return socket
    }
  })
  return { socket, calls }
}

describe("Relay, when it is quiet", () => {
  it.effect("switches on TCP keep-alive on both sides", () =>
    Effect.gen(function* () {
      const [client, target] = [kept(), kept()]
      const { run } = yield* Relay
      const [one, other] = [NodeTransport.make(client.socket), NodeTransport.make(target.socket)]
      const ends = { client: one, target: other, early: new Uint8Array(0) }
      const fiber = yield* Effect.forkChild(run({ ...ends, traffic: { sent: 0, received: 0 } }))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([...client.calls, ...target.calls], [])
      yield* TestClock.adjust("1 minutes")
      assert.deepStrictEqual(client.calls, [[true, 60_000]])
      assert.deepStrictEqual(target.calls, [[true, 60_000]])
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(layer(Duration.hours(1), Duration.minutes(10))))
  )

  it.effect("ends an idle session, both sides with a reset", () =>
    Effect.gen(function* () {
      const { client, target, fiber } = yield* relaying()
      yield* TestClock.adjust("10 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "idle")
      assert.strictEqual(yield* client.ending, "reset")
      assert.strictEqual(yield* target.ending, "reset")
    }).pipe(Effect.provide(tenAndTwo))
  )

  it.effect("continues as long as bytes move in either direction", () =>
    Effect.gen(function* () {
      const { client, target, fiber } = yield* relaying()
      for (const from of [client, target, client, target]) {
        yield* TestClock.adjust("9 seconds")
        yield* from.send("x")
        yield* settled
      }
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "idle")
    }).pipe(Effect.provide(tenAndTwo))
  )

  for (const [first, second] of [
    ["client", "target"],
    ["target", "client"]
  ] as const) {
    it.effect(`ends sooner after a FIN of the ${first}`, () =>
      Effect.gen(function* () {
        const ends = yield* relaying()
        yield* TestClock.adjust("9 seconds")
        yield* ends[first].end
        yield* settled
        for (let i = 0; i < 3; i++) {
          yield* TestClock.adjust("1800 millis")
          yield* ends[second].send("x")
          yield* settled
        }
        yield* TestClock.adjust("1800 millis")
        assert.isUndefined(ends.fiber.pollUnsafe())
        yield* TestClock.adjust("600 millis")
        assert.strictEqual(yield* Fiber.join(ends.fiber), "half-closed")
        assert.strictEqual(yield* ends[second].ending, "end")
      }).pipe(Effect.provide(tenAndTwo))
    )
  }

  it.effect("never ends with the timeouts off", () =>
    Effect.gen(function* () {
      const open = yield* relaying()
      const halfClosed = yield* relaying()
      yield* halfClosed.client.end
      yield* TestClock.adjust("1 hours")
      assert.isUndefined(open.fiber.pollUnsafe())
      assert.isUndefined(halfClosed.fiber.pollUnsafe())
      yield* Fiber.interrupt(open.fiber)
      yield* Fiber.interrupt(halfClosed.fiber)
    }).pipe(Effect.provide(layer(Duration.infinity, Duration.infinity)))
  )

  it.effect("never ends an open session with the idle timeout off, but a half-closed one", () =>
    Effect.gen(function* () {
      const open = yield* relaying()
      const halfClosed = yield* relaying()
      yield* halfClosed.client.end
      yield* settled
      yield* TestClock.adjust("1 hours")
      assert.isUndefined(open.fiber.pollUnsafe())
      assert.strictEqual(yield* Fiber.join(halfClosed.fiber), "half-closed")
      yield* Fiber.interrupt(open.fiber)
    }).pipe(Effect.provide(layer(Duration.infinity, Duration.minutes(1))))
  )

  it.effect("ends one session and no other", () =>
    Effect.gen(function* () {
      const quiet = yield* relaying()
      const busy = yield* relaying()
      yield* TestClock.adjust("6 seconds")
      yield* busy.client.send("x")
      yield* settled
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(yield* Fiber.join(quiet.fiber), "idle")
      assert.isUndefined(busy.fiber.pollUnsafe())
      yield* Fiber.interrupt(busy.fiber)
    }).pipe(Effect.provide(tenAndTwo))
  )
})
