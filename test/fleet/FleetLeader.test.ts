/**
 * The leader of a fleet, with an election that the test decides.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { UsageStoreFailed } from "../../src/Errors.ts"
import { type Election, FleetLeader, layer } from "../../src/fleet/FleetLeader.ts"
import { FleetMembership } from "../../src/fleet/FleetMembership.ts"
import { UsageUpkeep } from "../../src/usage/UsageRecords.ts"
import * as Logs from "../support/logs.ts"

/** A machine, whose membership and election the test decides. */
const machine = Effect.fnUntraced(function* (begins = () => true, ends: Effect.Effect<void> = Effect.void) {
  const membership = { id: "one", isLost: false }
  let lead: ((leads: boolean) => void) | undefined
  let parts = 0
  const elect: Election = (id, next) =>
    Effect.gen(function* () {
      assert.strictEqual(id, "one")
      if (!begins())
        return yield* new UsageStoreFailed({ store: "postgresql://database/socks", reason: "away" })
      parts++
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          lead = next
        }),
        () =>
          Effect.andThen(
            Effect.sync(() => {
              lead = undefined
            }),
            ends
          )
      )
    })
  const services = yield* Layer.build(
    Layer.provide(layer(elect), Layer.succeed(FleetMembership, membership as never))
  )
  const leader = Context.get(services, FleetLeader)!
  const changes: Array<boolean> = []
  leader.follow((leads) => changes.push(leads))
  yield* TestClock.adjust("1 second")
  return {
    membership,
    changes,
    leads: leader.leads,
    keepsUsage: Context.get(services, UsageUpkeep),
    lead: (leads: boolean) => lead?.(leads),
    takesPart: () => lead !== undefined,
    parts: () => parts
  }
})

describe("FleetLeader", () => {
  it.effect("leads when it is elected, and only then keeps the usage of all", () =>
    Effect.gen(function* () {
      const { lines, layer } = Logs.captured()
      const one = yield* Effect.provide(machine(), layer)
      assert.isTrue(one.takesPart())
      assert.isFalse(one.leads())
      assert.isFalse(one.keepsUsage())
      one.lead(true)
      one.lead(true)
      assert.isTrue(one.leads())
      assert.isTrue(one.keepsUsage())
      one.lead(false)
      assert.isFalse(one.leads())
      assert.deepStrictEqual(one.changes, [true, false])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        lines.map(({ message }) => message),
        ["this machine leads its fleet", "this machine leads its fleet no longer"]
      )
    })
  )

  it.effect("leads no longer, and works for itself, while it has lost its fleet", () =>
    Effect.gen(function* () {
      const one = yield* machine()
      one.lead(true)
      one.membership.isLost = true
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(one.changes, [true, false])
      assert.isFalse(one.takesPart())
      assert.isTrue(one.keepsUsage())
      yield* TestClock.adjust("1 minute")
      assert.isFalse(one.takesPart())
      one.membership.isLost = false
      yield* TestClock.adjust("1 second")
      assert.isTrue(one.takesPart())
      assert.strictEqual(one.parts(), 2)
      assert.isFalse(one.keepsUsage())
    })
  )

  it.effect("takes part again after an election that has broken at its end", () =>
    Effect.gen(function* () {
      const one = yield* machine(() => true, Effect.die(new Error("the pool is gone")))
      one.membership.isLost = true
      yield* TestClock.adjust("1 second")
      one.membership.isLost = false
      yield* TestClock.adjust("10 seconds")
      assert.isTrue(one.takesPart())
      assert.strictEqual(one.parts(), 2)
    })
  )

  it.effect(
    "works for itself while there is no election, says so once that is no chance, and tries again",
    () =>
      Effect.gen(function* () {
        const { lines, layer } = Logs.captured()
        let begins = false
        const one = yield* Effect.provide(
          machine(() => begins),
          layer
        )
        yield* TestClock.adjust("1 minute")
        assert.isFalse(one.takesPart())
        assert.isTrue(one.keepsUsage())
        assert.deepStrictEqual(lines, [
          {
            level: "Warn",
            message: "this machine cannot take part in the election of its fleet's leader",
            fields: { reason: "cannot use the usage store postgresql://database/socks: away" }
          }
        ])
        begins = true
        yield* TestClock.adjust("5 seconds")
        assert.isTrue(one.takesPart())
      })
  )
})
