/**
 * The relays that an association has of upstreams: shared, made again, and given back.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { ConnectionRefused, type DialError } from "../../src/Errors.ts"
import type { DatagramRelay, Share } from "../../src/routes/Route.ts"
import * as Relays from "../../src/udp/Relays.ts"

const at = NetAddress.inetAddressFromStringUnsafe("192.0.2.1:1080")

/** Relays that are open, by their number, each of which can be ended. */
const world = () => {
  const open = new Set<number>()
  const ended = new Set<number>()
  let count = 0
  const acquire = Effect.acquireRelease(
    Effect.sync(() => {
      open.add(++count)
      return count
    }),
    (number) => Effect.sync(() => void open.delete(number))
  )
  const make = Effect.map(
    acquire,
    (number): DatagramRelay => ({
      at,
      get hasEnded() {
        return ended.has(number)
      }
    })
  )
  return { open, ended, make, refused: Effect.andThen(acquire, Effect.fail(new ConnectionRefused())) }
}

/** The relays of this test need no services. */
const got = (share: Share, ...given: Parameters<Share>) =>
  share(...given) as Effect.Effect<DatagramRelay, DialError>

describe("Relays", () => {
  it.effect("are made once for a key, and stay until the association ends", () =>
    Effect.gen(function* () {
      const { open, make } = world()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const share = yield* Relays.make
          const all = yield* Effect.all(
            [got(share, "a", make), got(share, "a", make), got(share, "b", make)],
            {
              concurrency: 3
            }
          )
          assert.strictEqual(all[0], all[1])
          assert.notStrictEqual(all[0], all[2])
          assert.deepStrictEqual([...open], [1, 2])
        })
      )
      assert.strictEqual(open.size, 0)
    })
  )

  it.effect("are not made again and again if they end at once", () =>
    Effect.gen(function* () {
      const { open, ended, make } = world()
      for (const number of [1, 2, 3]) ended.add(number)
      const share = yield* Relays.make
      yield* got(share, "a", make)
      assert.deepStrictEqual([...open], [1])
      yield* got(share, "a", make)
      assert.deepStrictEqual([...open], [2])
    }).pipe(Effect.scoped)
  )

  it.effect("leave nothing when they have ended, or could not be made", () =>
    Effect.gen(function* () {
      const { open, ended, make, refused } = world()
      const share = yield* Relays.make
      const first = yield* got(share, "a", make)
      ended.add(1)
      const both = yield* Effect.all([got(share, "a", make), got(share, "a", make)], { concurrency: 2 })
      assert.strictEqual(both[0], both[1])
      assert.notStrictEqual(both[0], first)
      assert.deepStrictEqual([...open], [2])
      for (let i = 0; i < 3; i++) {
        assert.strictEqual((yield* Effect.flip(got(share, "b", refused)))._tag, "ConnectionRefused")
      }
      assert.deepStrictEqual([...open], [2])
      yield* got(share, "b", make)
      assert.strictEqual(open.size, 2)
    }).pipe(Effect.scoped)
  )
})
