/**
 * What each user and each address may have: never more, and all of it back.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as Config from "../../src/server/Config.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { fields } from "../support/errors.ts"
import { begin, layer } from "../support/sessions.ts"

const alice = { user: "alice" }
const bob = { user: "bob" }

/** What is told to one who is not let in. */
const refused = (options: Parameters<typeof begin>[0]) => Effect.map(Effect.flip(begin(options)), fields)

describe("Sessions of a user", () => {
  it.effect("are exactly as many as allowed, however many come at once", () =>
    Effect.gen(function* () {
      const results = yield* Effect.forEach(
        Array.from({ length: 200 }, (_, i) => `203.0.113.${i % 100}`),
        (host) => Effect.result(begin({ host, identity: alice }).pipe(Effect.tap(() => Effect.yieldNow))),
        { concurrency: "unbounded" }
      )
      const begun = results.filter(({ _tag }) => _tag === "Success")
      assert.lengthOf(begun, 50)
      yield* begin({ identity: bob })
      yield* begin({})
    }).pipe(Effect.provide(layer({ maxSessionsPerUser: 50 })))
  )

  it.effect("are admitted again when others end, from any address", () =>
    Effect.gen(function* () {
      const first = yield* begin({ identity: alice, host: "203.0.113.1" })
      yield* begin({ identity: alice, host: "203.0.113.2" })
      assert.deepStrictEqual(yield* refused({ identity: alice, host: "203.0.113.3" }), {
        _tag: "SessionLimitReached",
        whose: "user",
        limit: 2
      })
      yield* first.close
      yield* begin({ identity: alice, host: "203.0.113.3" })
      assert.propertyVal(yield* refused({ identity: alice }), "limit", 2)
    }).pipe(Effect.provide(layer({ maxSessionsPerUser: 2 })))
  )

  it.effect("follow the user's own limits, higher or lower", () =>
    Effect.gen(function* () {
      const one = { user: "one", limits: { sessions: 1 } }
      const free = { user: "free", limits: { sessions: Infinity } }
      yield* begin({ identity: one })
      assert.propertyVal(yield* refused({ identity: one }), "limit", 1)
      for (let i = 0; i < 5; i++) yield* begin({ identity: free })
    }).pipe(Effect.provide(layer({ maxSessionsPerUser: 3 })))
  )

  it.effect("follow the present settings, and count earlier sessions", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 5; i++) yield* begin({ identity: alice })
      const after = Effect.provide(refused({ identity: alice }), Config.layer({ maxSessionsPerUser: 5 }))
      assert.propertyVal(yield* after, "limit", 5)
    }).pipe(Effect.provide(layer()))
  )
})

describe("Sessions of an address", () => {
  it.effect("are as many as allowed, all its users together", () =>
    Effect.gen(function* () {
      yield* begin({ identity: alice })
      const { close } = yield* begin({})
      assert.deepStrictEqual(yield* refused({ identity: bob }), {
        _tag: "SessionLimitReached",
        whose: "client",
        limit: 2
      })
      yield* begin({ host: "203.0.113.2" })
      yield* close
      yield* begin({ identity: bob })
    }).pipe(Effect.provide(layer({ maxSessionsPerClient: 2 })))
  )

  it.effect("are counted by the /64 network of an IPv6 address", () =>
    Effect.gen(function* () {
      yield* begin({ host: "2001:db8:0:1::1" })
      yield* begin({ host: "2001:db8:0:1:ffff::2" })
      assert.propertyVal(yield* refused({ host: "2001:db8:0:1:1:2:3:4" }), "whose", "client")
      yield* begin({ host: "2001:db8:0:2::1" })
    }).pipe(Effect.provide(layer({ maxSessionsPerClient: 2 })))
  )
})

describe("New sessions", () => {
  it.effect("are limited to a number a second for a user, after a burst of as many", () =>
    Effect.gen(function* () {
      const start = Effect.flatMap(begin({ identity: alice }), ({ close }) => close)
      for (let i = 0; i < 10; i++) yield* start
      const error = { _tag: "TooManyNewSessions", whose: "user", limit: 10, retryAfter: 1 }
      assert.deepStrictEqual(yield* refused({ identity: alice }), error)
      yield* begin({ identity: bob })
      yield* TestClock.adjust("100 millis")
      yield* start
      assert.deepStrictEqual(yield* refused({ identity: alice }), error)
      yield* TestClock.adjust("10 seconds")
      for (let i = 0; i < 10; i++) yield* start
      assert.deepStrictEqual(yield* refused({ identity: alice }), error)
    }).pipe(Effect.provide(layer({ sessionRate: 10 })))
  )

  it.effect("are limited for an address without users, and for a user with limits of its own", () =>
    Effect.gen(function* () {
      yield* begin({})
      assert.propertyVal(yield* refused({}), "whose", "client")
      yield* begin({ host: "203.0.113.2" })
      yield* begin({ identity: alice })
      const fast = { user: "fast", limits: { sessionRate: 3 } }
      for (let i = 0; i < 3; i++) yield* begin({ identity: fast })
      assert.propertyVal(yield* refused({ identity: fast }), "limit", 3)
    }).pipe(Effect.provide(layer({ sessionRate: 1 })))
  )
})

describe("Sessions that a rule allows", () => {
  const rule = (limits: object) => ({ verdict: "allow", rule: "streaming", limits }) as const

  it.effect("count for the rule, for all users together, and are given back", () =>
    Effect.gen(function* () {
      const { chargeRule } = yield* SessionRegistry
      const [one, two, three] = yield* Effect.all([
        begin({ identity: alice }),
        begin({ identity: bob }),
        begin({})
      ])
      const limited = rule({ sessions: 2 })
      yield* chargeRule(one.session, limited)
      yield* chargeRule(two.session, limited)
      assert.deepStrictEqual(fields(yield* Effect.flip(chargeRule(three.session, limited))), {
        _tag: "SessionLimitReached",
        whose: "rule",
        limit: 2
      })
      yield* chargeRule(three.session, { verdict: "allow", rule: "others" })
      yield* one.close
      yield* three.close
      yield* chargeRule((yield* begin({})).session, limited)
    }).pipe(Effect.provide(Layer.fresh(layer())))
  )

  it.effect("count once each, however often they use the rule, until the last use ends", () =>
    Effect.gen(function* () {
      const { chargeRule } = yield* SessionRegistry
      const limited = rule({ sessions: 1, sessionRate: 1 })
      const { session } = yield* begin({ identity: alice })
      const { session: other } = yield* begin({ identity: bob })
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      yield* Scope.provide(chargeRule(session, limited), first)
      yield* Scope.provide(chargeRule(session, limited), second)
      yield* TestClock.adjust("1 second")
      yield* Scope.close(first, Exit.void)
      assert.strictEqual((yield* Effect.flip(chargeRule(other, limited)))._tag, "SessionLimitReached")
      yield* Scope.close(second, Exit.void)
      yield* chargeRule(other, limited)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("charge the quota of a rule for the bytes that it allows, and no more", () =>
    Effect.gen(function* () {
      const { chargeRule, list } = yield* SessionRegistry
      const { session } = yield* begin({ command: "ASSOCIATE" })
      session.traffic.sent = 5000
      const limited = rule({ dailyQuota: 1000 })
      const traffic = { sent: 0, received: 0 }
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* chargeRule(session, limited, traffic)
          traffic.received = 999
          yield* TestClock.adjust("1 second")
          assert.isUndefined((yield* list)[0]!.outcome)
          traffic.received = 1000
        })
      )
      assert.strictEqual((yield* Effect.flip(chargeRule(session, limited)))._tag, "QuotaExceeded")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("end with the lifetime of a rule; for datagrams it begins with their use of the rule", () =>
    Effect.gen(function* () {
      const { chargeRule, list } = yield* SessionRegistry
      const association = Effect.gen(function* () {
        const { session } = yield* begin({ command: "ASSOCIATE" })
        yield* Effect.sleep("1 hour")
        yield* chargeRule(session, rule({ lifetime: Duration.minutes(1) }))
        return yield* Effect.never
      })
      yield* Effect.forkScoped(Effect.scoped(association))
      yield* TestClock.adjust("1 hour")
      const [session] = yield* list
      yield* TestClock.adjust("59 seconds")
      assert.isUndefined(session!.outcome)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(session!.outcome, "lifetime")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("are limited to a number a second", () =>
    Effect.gen(function* () {
      const { chargeRule } = yield* SessionRegistry
      const slow = rule({ sessionRate: 1 })
      yield* chargeRule((yield* begin({ identity: alice })).session, slow)
      const { session } = yield* begin({ identity: bob })
      assert.strictEqual((yield* Effect.flip(chargeRule(session, slow)))._tag, "TooManyNewSessions")
      yield* TestClock.adjust("1 second")
      yield* chargeRule(session, slow)
    }).pipe(Effect.provide(layer()))
  )
})
