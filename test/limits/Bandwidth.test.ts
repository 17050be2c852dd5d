/**
 * Which limits hold for a session, and who shares them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Bandwidth, type Usage as Use } from "../../src/limits/Bandwidth.ts"
import { Quotas } from "../../src/limits/Quotas.ts"
import * as Usage from "../../src/limits/Usage.ts"
import * as Config from "../../src/server/Config.ts"
import { received } from "../support/usage.ts"

const bandwidth = Layer.provide(Bandwidth.layer, Quotas.layerOf(Usage.make()))

const off = { upload: Infinity, download: Infinity }
const both = (rate: number) => ({ upload: rate, download: rate })

/** A session's pace, where these settings hold. */
const paceOf = (values: Partial<Config.Values>, usage: Partial<Use> = {}) =>
  Effect.flatMap(Bandwidth, ({ pace }) =>
    pace({ owner: () => "user alice", own: undefined, rule: undefined, ...usage })
  ).pipe(Effect.provide(Config.layer(values)))

/** Bytes a second that each of these gets through, all at the same time. */
const measured = Effect.fnUntraced(function* (
  values: Partial<Config.Values>,
  usages: ReadonlyArray<Partial<Use>> = [{}]
) {
  const sessions = yield* Effect.forEach(usages, (usage) =>
    Effect.map(paceOf(values, usage), (pace) => ({ lane: pace!.upload!, sent: 0, mayGo: true }))
  )
  for (let ticks = 0; ticks < 500; ticks++) {
    for (const session of sessions) {
      while (session.mayGo) {
        session.sent += 100
        session.mayGo = session.lane.pass(100, () => {
          session.mayGo = true
        })
      }
    }
    yield* TestClock.adjust("20 millis")
  }
  return sessions.map(({ sent }) => sent / 10)
}, Effect.scoped)

const close = (rates: ReadonlyArray<number>, ...expected: ReadonlyArray<number>) => {
  for (const [index, rate] of rates.entries()) assert.closeTo(rate / expected[index]!, 1, 0.05)
}

describe("Bandwidth", () => {
  it.effect("is undefined without a limit", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* paceOf({}))
      assert.isUndefined(yield* paceOf({ bandwidthUser: both(1000) }, { own: both(Infinity) }))
      assert.isUndefined(yield* paceOf({}, { rule: { name: "video", limits: { sessions: 3 } } }))
      const pace = yield* paceOf({ bandwidthSession: { ...off, download: 1000 } })
      assert.isUndefined(pace?.upload)
      assert.isDefined(pace?.download)
    }).pipe(Effect.provide(bandwidth))
  )

  it.effect("is the lowest of all limits that apply", () =>
    Effect.gen(function* () {
      const wide = both(10_000_000)
      const all = { bandwidthSession: wide, bandwidthUser: wide, bandwidthTotal: wide }
      const low = both(50_000)
      close(yield* measured({ ...all, bandwidthSession: low }), 50_000)
      close(yield* measured({ ...all, bandwidthUser: low }), 50_000)
      close(yield* measured({ ...all, bandwidthTotal: low }), 50_000)
      close(yield* measured(all, [{ own: low }]), 50_000)
      close(yield* measured(all, [{ rule: { name: "video", limits: low } }]), 50_000)
    }).pipe(Effect.provide(bandwidth))
  )

  it.effect("takes a user's own limit in place of that of the settings, higher or lower", () =>
    Effect.gen(function* () {
      const bandwidthUser = both(50_000)
      close(yield* measured({ bandwidthUser }, [{ own: both(200_000) }]), 200_000)
      close(yield* measured({ bandwidthUser }, [{ own: { download: 1 } }]), 50_000)
    }).pipe(Effect.provide(bandwidth))
  )

  const shared: Record<string, readonly [Partial<Config.Values>, Partial<Use>, Partial<Use>]> = {
    "the sessions of one user": [{ bandwidthUser: both(100_000) }, {}, {}],
    "the sessions that one rule lets in": [
      {},
      { owner: () => "user alice", rule: { name: "video", limits: both(100_000) } },
      { owner: () => "user bob", rule: { name: "video", limits: both(100_000) } }
    ],
    "all sessions": [
      { bandwidthTotal: both(100_000) },
      { owner: () => "user alice" },
      { owner: () => "user bob" }
    ]
  }
  for (const [name, [values, one, other]] of Object.entries(shared)) {
    it.effect(`is shared evenly by ${name}`, () =>
      Effect.gen(function* () {
        close(yield* measured(values, [one, other]), 50_000, 50_000)
      }).pipe(Effect.provide(bandwidth))
    )
  }

  it.effect("is not shared by users, nor by sessions with a limit each", () =>
    Effect.gen(function* () {
      for (const values of [{ bandwidthUser: both(50_000) }, { bandwidthSession: both(50_000) }]) {
        const usages = values.bandwidthUser ? [{}, { owner: () => "user bob" }] : [{}, {}]
        close(yield* measured(values, usages), 50_000, 50_000)
      }
    }).pipe(Effect.provide(bandwidth))
  )

  it.effect("remembers the debt of a user who returns at once", () =>
    Effect.gen(function* () {
      const values = { bandwidthUser: both(1000) }
      yield* Effect.scoped(
        Effect.map(paceOf(values), (pace) => assert.isFalse(pace?.upload?.pass(10_000, () => {})))
      )
      const again = yield* paceOf(values)
      assert.isFalse(again?.upload?.pass(0, () => {}))
      yield* TestClock.adjust("9 seconds")
      assert.isTrue(again?.upload?.isWaiting())
      yield* TestClock.adjust("1 seconds")
      assert.isFalse(again?.upload?.isWaiting())
    }).pipe(Effect.provide(bandwidth))
  )

  it.effect("changes a shared limit for sessions that use it already", () =>
    Effect.gen(function* () {
      const pace = yield* paceOf({ bandwidthTotal: both(1000) })
      assert.isFalse(pace?.upload?.pass(100_000, () => {}))
      yield* TestClock.adjust("1 seconds")
      assert.isTrue(pace?.upload?.isWaiting())
      yield* paceOf({ bandwidthTotal: both(100_000) })
      yield* TestClock.adjust("1 seconds")
      assert.isFalse(pace?.upload?.isWaiting())
    }).pipe(Effect.provide(bandwidth))
  )

  it.effect(
    "of a user over a quota is slowed while others are not, and is free again in the next month",
    () => {
      const usage = Usage.make()
      const layer = Layer.provide(Bandwidth.layer, Quotas.layerOf(usage))
      const alice = { user: "alice" }
      const bob = { user: "bob", owner: () => "user bob" }
      const values = { onQuota: "throttle", monthlyQuota: 1000, bandwidthOverQuota: both(20_000) } as const
      const fast = { bandwidthSession: both(100_000) }
      return Effect.gen(function* () {
        yield* TestClock.setTime(Date.parse("2026-11-30T23:59:00Z"))
        const now = Effect.map(Effect.clockWith(Effect.succeed), (clock) => clock.currentTimeMillisUnsafe())
        close(yield* measured({ ...values, ...fast }, [alice, bob]), 100_000, 100_000)
        usage.add("user alice", received(1000), yield* now)
        const [one = 0, two = 0, other = 0] = yield* measured({ ...values, ...fast }, [alice, alice, bob])
        close([other], 100_000)
        // Both sessions of the user together, with what a bucket and the last slices hold.
        assert.closeTo((one + two) / 20_000, 1, 0.15)
        assert.closeTo(one / two, 1, 0.2)
        yield* TestClock.setTime(Date.parse("2026-12-01T00:00:01Z"))
        close(yield* measured({ ...values, ...fast }, [alice]), 100_000)
        assert.isUndefined(yield* paceOf({ ...values, onQuota: "deny" }, alice))
        assert.isUndefined(yield* paceOf({ ...values, monthlyQuota: "off" }, alice))
      }).pipe(Effect.scoped, Effect.provide(layer))
    }
  )

  it.effect("of a session slows down when its quota is used up on the way", () => {
    const usage = Usage.make()
    const layer = Layer.provide(Bandwidth.layer, Quotas.layerOf(usage))
    const values = { onQuota: "throttle", dailyQuota: 1000, bandwidthOverQuota: both(50_000) } as const
    return Effect.gen(function* () {
      const pace = yield* paceOf(values, { user: "alice" })
      assert.isTrue(pace!.download!.pass(1_000_000, () => {}))
      const clock = yield* Effect.clockWith(Effect.succeed)
      usage.add("user alice", received(1000), clock.currentTimeMillisUnsafe())
      yield* TestClock.adjust("1 second")
      let passed = 0
      const go = () => {
        do passed += 100
        while (pace!.download!.pass(100, go))
      }
      go()
      yield* TestClock.adjust("10 seconds")
      assert.closeTo(passed / 500_000, 1, 0.1)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })
})
