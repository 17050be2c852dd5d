/**
 * Bytes that users may move, in all their sessions.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import type * as Config from "../../src/server/Config.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { fields } from "../support/errors.ts"
import { admit, begin, from, layer } from "../support/sessions.ts"
import { settled } from "../support/streams.ts"

const alice = { user: "alice" }
/** A session for as long as the scope. */
const beginScoped = Effect.fnUntraced(function* (user: string) {
  const sessions = yield* SessionRegistry
  const session = yield* Effect.acquireRelease(sessions.open(from("203.0.113.1")), sessions.close)
  yield* admit(session, { user })
})

/** A session of this user that moves bytes and ends. */
const moving = Effect.fnUntraced(function* (sent: number, received: number, identity: object = alice) {
  const { session, close } = yield* begin({ identity: { user: "alice", ...identity } })
  session.traffic.sent += sent
  session.traffic.received += received
  yield* close
})

const refused = Effect.map(Effect.flip(begin({ identity: alice })), fields)

/** The clock is set before there is anything that watches it. */
const since =
  (time: string, values: Partial<Config.Values>) =>
  <A, E>(effect: Effect.Effect<A, E, Config.Sections | SessionRegistry | Scope.Scope>) =>
    Effect.andThen(TestClock.setTime(Date.parse(time)), Effect.provide(effect, layer(values)))

describe("Quotas", () => {
  it.effect("count both directions together, and refuse a user who has used them up", () =>
    Effect.gen(function* () {
      yield* moving(40, 59)
      yield* moving(0, 0)
      yield* moving(0, 1)
      assert.deepStrictEqual(yield* refused, {
        _tag: "QuotaExceeded",
        whose: "user",
        period: "day",
        limit: 100,
        retryAfter: 12 * 3600
      })
      yield* begin({ identity: { user: "bob" } })
      yield* begin({})
    }).pipe(since("2026-11-29T12:00:00Z", { dailyQuota: 100 }))
  )

  it.effect("begin anew at midnight in UTC", () =>
    Effect.gen(function* () {
      yield* moving(60, 0)
      yield* TestClock.adjust("9999 millis")
      assert.deepInclude(yield* refused, { period: "day", limit: 60, retryAfter: 1 })
      yield* TestClock.adjust("1 millis")
      yield* moving(59, 0)
      yield* moving(1, 0)
      assert.deepInclude(yield* refused, { period: "day", retryAfter: 86_400 })
    }).pipe(since("2026-11-29T23:59:50Z", { dailyQuota: 60, monthlyQuota: 121 }))
  )

  it.effect("begin anew at the end of the month, in UTC", () =>
    Effect.gen(function* () {
      yield* moving(100, 0)
      assert.deepInclude(yield* refused, { period: "month", retryAfter: 10 })
      yield* TestClock.adjust("10 seconds")
      yield* moving(99, 0)
      yield* moving(1, 0)
      assert.deepInclude(yield* refused, { period: "month", retryAfter: 31 * 86_400 })
    }).pipe(since("2026-11-30T23:59:50Z", { dailyQuota: 100, monthlyQuota: 100 }))
  )

  it.effect("of a user beat those of the settings, higher or lower", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 3; i++) yield* moving(100, 0, { user: "free", limits: { dailyQuota: Infinity } })
      yield* moving(10, 0, { user: "small", limits: { dailyQuota: 10 } })
      const small = begin({ identity: { user: "small", limits: { dailyQuota: 10 } } })
      assert.propertyVal(yield* Effect.flip(small), "limit", 10)
    }).pipe(Effect.provide(layer({ dailyQuota: 100 })))
  )

  it.effect("of a rule are used by all sessions that the rule allows", () =>
    Effect.gen(function* () {
      const { chargeRule } = yield* SessionRegistry
      const decision = { verdict: "allow", rule: "mail", limits: { dailyQuota: 100 } } as const
      for (const user of ["alice", "bob"]) {
        const { session, close } = yield* begin({ identity: { user } })
        yield* chargeRule(session, decision)
        session.traffic.sent += 50
        yield* close
      }
      const { session } = yield* begin({})
      assert.deepInclude(fields(yield* Effect.flip(chargeRule(session, decision))), {
        whose: "rule",
        limit: 100
      })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("end all open sessions of their user, and no others", () =>
    Effect.gen(function* () {
      const { list } = yield* SessionRegistry
      // Each in a fiber of its own, as connections are.
      for (const user of ["alice", "alice", "bob"]) {
        yield* Effect.forkChild(Effect.scoped(Effect.andThen(beginScoped(user), Effect.never)))
      }
      yield* settled
      const of = (user: string) =>
        Effect.map(list, (all) => all.filter(({ admitted }) => admitted?.identity.user === user))
      const [one, two] = yield* of("alice")
      one!.traffic.sent += 60
      yield* TestClock.adjust("1 second")
      two!.traffic.received += 39
      yield* TestClock.adjust("1 second")
      assert.lengthOf(yield* of("alice"), 2)
      one!.traffic.received += 1
      yield* TestClock.adjust("1 second")
      assert.lengthOf(yield* of("alice"), 0)
      assert.deepStrictEqual([one!.outcome, two!.outcome], ["quota", "quota"])
      assert.lengthOf(yield* of("bob"), 1)
      assert.strictEqual((yield* refused)._tag, "QuotaExceeded")
    }).pipe(Effect.provide(layer({ dailyQuota: 100 })))
  )

  it.effect("end and refuse no session with throttle", () =>
    Effect.gen(function* () {
      const { chargeRule, list } = yield* SessionRegistry
      yield* Effect.forkChild(Effect.scoped(Effect.andThen(beginScoped("alice"), Effect.never)))
      yield* settled
      const [session] = yield* list
      session!.traffic.sent += 1000
      yield* TestClock.adjust("2 seconds")
      assert.lengthOf(yield* list, 1)
      const more = yield* begin({ identity: alice })
      const decision = { verdict: "allow", rule: "mail", limits: { dailyQuota: 1 } } as const
      yield* chargeRule(more.session, decision)
      more.session.traffic.sent += 1
      yield* TestClock.adjust("2 seconds")
      assert.isUndefined(more.session.outcome)
      yield* chargeRule((yield* begin({ identity: alice })).session, decision)
    }).pipe(Effect.scoped, Effect.provide(layer({ dailyQuota: 100, onQuota: "throttle" })))
  )
})
