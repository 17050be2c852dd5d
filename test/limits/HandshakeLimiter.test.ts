/**
 * Connections that never ask for anything, and those who want to get past them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { Quotas } from "../../src/limits/Quotas.ts"
import * as Config from "../../src/server/Config.ts"
import { Events } from "../../src/session/Events.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { admit, layer, lot, open } from "../support/sessions.ts"

const maxHandshakes = { start: 20, rate: 30, full: 100 }

/** Of this many connections, each from its own address and gone again at once, how many are dropped. */
const dropped = (count: number) =>
  Effect.map(
    Effect.forEach(Array.from({ length: count }), (_, i) =>
      open(`198.18.${i >> 8}.${i & 255}`).pipe(
        Effect.flatMap(({ close }) => Effect.as(close, 0)),
        Effect.catchTag("TooManyHandshakes", () => Effect.succeed(1))
      )
    ),
    (drops) => drops.reduce((sum, one) => sum + one, 0)
  )

/** Half-open connections that stay, from so many addresses, whatever was drawn. */
const hoard = (count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, i) => `203.0.${i}.1`),
    (host) => Effect.provide(open(host), lot(0.999_999))
  )

const random = (values: Partial<Config.Values>) =>
  SessionRegistry.layer.pipe(
    Layer.provide([Layer.orDie(Quotas.layer), Events.layer]),
    Layer.provideMerge(Config.layer(values))
  )

describe("Half-open connections", () => {
  for (const [count, expected] of [
    [0, 0],
    [19, 0],
    [20, 0.3],
    [60, 0.65],
    [99, 0.99125]
  ] as const) {
    it.effect(`${count} of them drop others with a chance of ${expected}`, () =>
      Effect.gen(function* () {
        yield* hoard(count)
        const share = (yield* dropped(2000)) / 2000
        // Four standard deviations.
        const tolerance = 4 * Math.sqrt((expected * (1 - expected)) / 2000)
        assert.approximately(share, expected, tolerance)
      }).pipe(Effect.provide(random({ maxHandshakes })), Random.withSeed(`half-open ${count}`))
    )
  }

  it.effect("drop all new ones at the limit, and none when they have become sessions", () =>
    Effect.gen(function* () {
      const all = yield* hoard(100)
      assert.strictEqual(yield* Effect.provide(dropped(50), lot(0.999_999)), 50)
      for (const { session } of all.slice(0, 81)) yield* admit(session)
      assert.strictEqual(yield* Effect.provide(dropped(50), lot(0)), 0)
    }).pipe(Effect.provide(layer({ maxHandshakes })))
  )

  /** Opens connections of this host until one is refused, and says how many there are then. */
  const fill = Effect.fnUntraced(function* (hostOf: (index: number) => string) {
    for (let count = 0; ; count++) {
      const result = yield* Effect.result(open(hostOf(count)))
      if (Result.isFailure(result)) return count
    }
  })

  it.effect("are bounded for one address, the more the fewer places are free", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* fill(() => "203.0.113.1"), 11)
      const others = yield* Effect.forEach([2, 3, 4, 5, 6, 7, 8], (last) => fill(() => `203.0.113.${last}`))
      assert.deepStrictEqual(others, [10, 8, 8, 7, 6, 5, 5])
      // There is room for those who come now.
      for (let i = 0; i < 20; i++) yield* open(`198.18.0.${i}`)
    }).pipe(Effect.provide(layer({ maxHandshakes })))
  )

  it.effect("are bounded for one network of IPv6, /64 or /48", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* fill((i) => `2001:db8::${i}`), 11)
      yield* open("2001:db8:0:1::1")
      assert.isAtMost(yield* fill((i) => `2001:db8:0:${(i + 2).toString(16)}::1`), 10)
      assert.strictEqual((yield* Effect.flip(open("2001:db8:0:ffff::1")))._tag, "TooManyHandshakes")
      yield* open("2001:db8:1::1")
    }).pipe(Effect.provide(layer({ maxHandshakes })))
  )

  it.effect("take up to half of the places from this machine, and from a proxy before its PROXY header", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* fill(() => "127.0.0.1"), 50)
      assert.strictEqual(yield* fill(() => "203.0.113.9"), 25)
      yield* open("203.0.113.1")
    }).pipe(
      Effect.provide(
        layer({ maxHandshakes, proxyProtocolFrom: [IpNetwork.fromStringUnsafe("203.0.113.9/32")] })
      )
    )
  )

  it.effect("are dropped at random first from the networks with the most, and not from those with few", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 60; i++)
        yield* Effect.provide(open("127.0.0.1"), lot(0.999_999)).pipe(Effect.ignore)
      // Of those, there are 50; where only one more is open, there is no pressure.
      const draw = (host: string, value: number) =>
        Effect.provide(Effect.result(open(host)), lot(value)).pipe(Effect.map(Result.isSuccess))
      for (let i = 0; i < 19; i++) assert.isTrue(yield* draw(`198.18.0.${i}`, 0))
      assert.isFalse(yield* draw("198.18.1.1", 0))
      assert.isTrue(yield* draw("198.18.1.1", 0.31))
    }).pipe(Effect.provide(layer({ maxHandshakes })))
  )

  it.effect("leave no count", () =>
    Effect.gen(function* () {
      for (let round = 0; round < 5; round++) {
        const all = yield* hoard(100)
        yield* Effect.forEach(round % 2 ? all : all.reverse(), ({ close }) => close)
      }
      assert.strictEqual(yield* Effect.provide(dropped(50), lot(0)), 0)
    }).pipe(Effect.provide(layer({ maxHandshakes })))
  )

  it.effect("use the present settings", () =>
    Effect.gen(function* () {
      yield* hoard(10)
      yield* open("198.18.0.1")
      const now = Config.layer({ maxHandshakes: { start: 5, rate: 30, full: 10 } })
      assert.propertyVal(yield* Effect.flip(Effect.provide(open("198.18.0.2"), now)), "limit", 10)
    }).pipe(Effect.provide(layer({ maxHandshakes })))
  )
})
