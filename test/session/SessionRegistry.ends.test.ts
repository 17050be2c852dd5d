/**
 * What a session leaves behind, however it ends: nothing.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { ConnectionRefused } from "../../src/Errors.ts"
import { Dialer } from "../../src/network/Dialer.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { connect, type Peer } from "../../src/testing/index.ts"
import { reply } from "../support/messages.ts"
import { config, scripted, tunnel } from "../support/scripted.ts"
import { settled } from "../support/streams.ts"

describe("A session that has ended", () => {
  const failing = (connect: Dialer["Service"]["connect"]) => Layer.succeed(Dialer, { connect })
  const ends: Record<
    string,
    readonly [end: (client: Peer, target: Peer) => Effect.Effect<void>, dialer?: Layer.Layer<Dialer>]
  > = {
    "in order": [(client, target) => Effect.andThen(client.end, target.end)],
    "with a reset of the client": [(client) => client.reset],
    "with a reset of the target": [(_, target) => target.reset],
    "at its lifetime": [() => TestClock.adjust("1 minute")],
    "as there is no target": [() => Effect.void, failing(() => Effect.fail(new ConnectionRefused()))],
    "with a bug": [() => Effect.void, failing(() => Effect.die("a bug"))],
    "as its client left while it was dialling": [(client) => client.reset, failing(() => Effect.never)]
  }
  for (const [how, [end, dialer]] of Object.entries(ends)) {
    it.effect(`${how} gives back what it took`, () => {
      const { target, services } = scripted({
        config: { ...config, maxSessionsPerClient: 1, maxSessions: 1 },
        ...(dialer && { dialer })
      })
      return Effect.gen(function* () {
        for (let round = 0; round < 3; round++) {
          const client = yield* connect
          yield* client.send(tunnel)
          yield* settled
          yield* end(client, target())
          yield* settled
          yield* TestClock.adjust("2 seconds")
          assert.deepStrictEqual(yield* (yield* SessionRegistry).list, [])
          if (dialer) continue
          const next = yield* connect
          yield* next.send(tunnel)
          assert.deepStrictEqual([...(yield* next.receive(4))].slice(2), [0x05, 0x00])
          yield* next.reset
          yield* settled
        }
      }).pipe(Effect.provide(services))
    })
  }

  it.effect("by a call of end is reset on both sides, and only once", () => {
    const { target, outcomes, services } = scripted({ config })
    return Effect.gen(function* () {
      const { end, list } = yield* SessionRegistry
      const [one, other] = [yield* connect, yield* connect]
      yield* one.send(tunnel)
      yield* settled
      const far = target()
      yield* other.send(tunnel)
      yield* settled
      const [first, second] = yield* list
      assert.isFalse(yield* end(999, "ended by operator"))
      assert.isTrue(yield* end(first!.id, "ended by operator"))
      assert.isFalse(yield* end(first!.id, "ended by operator"))
      yield* settled
      assert.deepStrictEqual([yield* one.ending, yield* far.ending], ["reset", "reset"])
      assert.deepStrictEqual(yield* list, [second!])
      assert.deepStrictEqual(outcomes(), ["ended by operator"])
    }).pipe(Effect.provide(services))
  })

  it.effect("because the server stops gives back what it took", () => {
    const { services } = scripted({ config: { ...config, maxSessionsPerClient: 1 } })
    return Effect.gen(function* () {
      for (let round = 0; round < 3; round++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* connect
            yield* client.send(tunnel)
            assert.deepStrictEqual([...(yield* client.receive(4))].slice(2), [0x05, 0x00])
            const other = yield* connect
            yield* other.send(tunnel)
            assert.deepStrictEqual([...(yield* other.rest)].slice(2), reply(0x02))
          })
        )
      }
    }).pipe(Effect.provide(services))
  })
})
