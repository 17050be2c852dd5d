/**
 * Health checks of a fleet, with a store in memory: one member of one machine checks, and all others learn of it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { channelOf, FleetChecks } from "../../src/fleet/FleetChecks.ts"
import * as Keys from "../../src/fleet/Keys.ts"
import * as CheckSharing from "../../src/routes/CheckSharing.ts"
import * as FleetStore from "../support/fleet-store.ts"

const keys = Keys.make("fleet")
const failure = { outcome: "ConnectionRefused", reason: "the upstream refuses" }
const every = 10_000

/** A machine with so many members. */
const machineOf = Effect.fnUntraced(function* (
  shared: ReturnType<typeof FleetStore.make>,
  machine: string,
  count: number
) {
  const { store, ...connection } = shared.connect()
  const checks = new FleetChecks<CheckSharing.SharedChecks>({
    ...{ store, keys, machine, now: shared.now, wake: () => {} },
    send: (member, news) => member.receive(news)
  })
  yield* store.subscribe(channelOf(keys), (text) => checks.receiveMessage(text))
  yield* store.onConnect(() => checks.connected())
  const exchange = shared.settled(checks.exchange)
  yield* exchange
  const enter = () => {
    const member: CheckSharing.SharedChecks = CheckSharing.make({
      nameOf: (check) => check,
      report: (checked) => checks.receive(member, checked),
      now: shared.now
    })
    checks.enter(member).forEach(member.receive)
    return member
  }
  return { ...connection, checks, exchange, enter, members: Array.from({ length: count }, enter) }
})

/** Two machines with so many members on one store. */
const pairOf = Effect.fnUntraced(function* (first: number, second: number) {
  const shared = FleetStore.make()
  const one = yield* machineOf(shared, "one", first)
  return { shared, one, two: yield* machineOf(shared, "two", second) }
})

const dueAt = ({ members }: { readonly members: ReadonlyArray<CheckSharing.SharedChecks> }) =>
  members.map(({ isDue }) => isDue("a", every))

describe("FleetChecks", () => {
  it.effect("has one member of the leader check, and the others go by it", () =>
    Effect.gen(function* () {
      const { shared, one, two } = yield* pairOf(2, 2)
      // Nobody leads.
      assert.deepStrictEqual([...dueAt(one), ...dueAt(two)], [true, true, true, true])
      one.members[0]!.tell({ check: "a" })
      yield* one.exchange
      assert.deepStrictEqual([...dueAt(one), ...dueAt(two)], [true, true, true, true])

      one.checks.lead(true)
      for (const member of one.members) member.tell({ check: "a", failure })
      yield* one.exchange
      assert.deepStrictEqual([...dueAt(one), ...dueAt(two)], [true, false, false, false])
      assert.deepStrictEqual(two.members[1]!.latest("a", every), { check: "a", failure })
      // One that begins knows it.
      const three = yield* machineOf(shared, "three", 1)
      assert.deepStrictEqual(three.members[0]!.latest("a", every), { check: "a", failure })
      assert.deepStrictEqual(one.enter().latest("a", every), { check: "a", failure })
      // Nobody is heard any longer.
      yield* shared.pass(3 * every)
      assert.deepStrictEqual([...dueAt(two), ...dueAt(three)], [true, true, true])
      assert.isUndefined((yield* machineOf(shared, "four", 1)).members[0]!.latest("a", every))
    })
  )

  it.effect("has another member check when that one ends, and another machine when that one leads", () =>
    Effect.gen(function* () {
      const { one, two } = yield* pairOf(0, 1)
      one.checks.lead(true)
      const [first, second] = [one.enter(), one.enter()]
      first.tell({ check: "a" })
      assert.isFalse(second.isDue("a", every))
      one.checks.remove(first)
      assert.isTrue(second.isDue("a", every))
      second.tell({ check: "a", failure })
      yield* one.exchange
      assert.deepStrictEqual(two.members[0]!.latest("a", every), { check: "a", failure })
      one.checks.lead(false)
      two.checks.lead(true)
      two.members[0]!.tell({ check: "a" })
      yield* two.exchange
      assert.isFalse(second.isDue("a", every))
      assert.deepStrictEqual(second.latest("a", every), { check: "a" })
    })
  )

  it.effect(
    "tells later what a store that was away has missed, and learns what this machine has missed",
    () =>
      Effect.gen(function* () {
        const { shared, one, two } = yield* pairOf(1, 1)
        one.checks.lead(true)
        one.cut()
        two.cut()
        one.members[0]!.tell({ check: "a", failure })
        yield* shared.settled(Effect.ignore(one.checks.exchange))
        one.mend()
        yield* shared.settle
        yield* one.exchange
        assert.isTrue(two.members[0]!.isDue("a", every))
        two.mend()
        yield* shared.settle
        yield* two.exchange
        assert.deepStrictEqual(two.members[0]!.latest("a", every), { check: "a", failure })
      })
  )

  it.effect(
    "tells nothing of the time in which it led, when another machine may have found something newer",
    () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const one = yield* machineOf(shared, "one", 1)
        const two = yield* machineOf(shared, "two", 1)
        one.checks.lead(true)
        one.freeze()
        one.members[0]!.tell({ check: "a", failure })
        const telling = yield* Effect.forkChild(Effect.exit(one.checks.exchange), { startImmediately: true })
        one.members[0]!.tell({ check: "b", failure })
        one.checks.lead(false)
        yield* shared.pass(2000)
        assert.strictEqual((yield* Fiber.join(telling))._tag, "Failure")
        yield* shared.pass(60 * every)
        one.cut()
        one.mend()
        yield* shared.settle
        yield* shared.settled(one.checks.exchange)
        assert.deepStrictEqual(
          ["a", "b"].map((check) => two.members[0]!.latest(check, every)),
          [undefined, undefined]
        )
      })
  )

  it.effect("tells the last result of a check, also where no more checks may wait", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const one = yield* machineOf(shared, "one", 1)
      const two = yield* machineOf(shared, "two", 1)
      one.checks.lead(true)
      for (let index = 0; index < 1000; index++) one.members[0]!.tell({ check: `${index}`, failure })
      one.members[0]!.tell({ check: "7" })
      yield* shared.settled(one.checks.exchange)
      assert.deepStrictEqual(two.members[0]!.latest("7", every), { check: "7" })
      assert.deepStrictEqual(two.members[0]!.latest("8", every), { check: "8", failure })
    })
  )

  it.effect("tells what waits in messages that are taken, however much that is", () =>
    Effect.gen(function* () {
      const { shared, one, two } = yield* pairOf(1, 1)
      one.checks.lead(true)
      const tell = (part: string) => {
        for (let index = 0; index < 900; index++) one.members[0]!.tell({ check: `${part} ${index}` })
      }
      tell("first")
      one.freeze()
      const telling = yield* Effect.forkChild(Effect.exit(one.checks.exchange), { startImmediately: true })
      tell("second")
      yield* shared.pass(2000)
      assert.strictEqual((yield* Fiber.join(telling))._tag, "Failure")
      one.cut()
      one.mend()
      yield* shared.settle
      yield* one.exchange
      assert.isFalse(two.members[0]!.isDue("second 899", every))
    })
  )

  it.effect("keeps what is newer than what the store has", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const { checks, members } = yield* machineOf(shared, "one", 1)
      yield* shared.pass(5000)
      for (const check of ["a", "b"]) {
        shared.database.hset(
          keys.ofBucket("checks", 0),
          check,
          `${shared.now() - 1000} ${JSON.stringify(failure)}`
        )
      }
      checks.receiveMessage(JSON.stringify({ from: "two", results: [{ check: "a" }] }))
      checks.connected()
      yield* shared.settled(checks.exchange)
      assert.deepStrictEqual(members[0]!.latest("a", every), { check: "a" })
      assert.deepStrictEqual(members[0]!.latest("b", every), { check: "b", failure })
    })
  )

  it.effect("takes nothing that is no result", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const { members, checks } = yield* machineOf(shared, "one", 1)
      const results = [{ check: "a" }]
      for (const message of [
        "",
        "null",
        "[]",
        JSON.stringify({ results }),
        JSON.stringify({ from: "one", results }),
        JSON.stringify({ from: "two", results: [{ check: 1 }] }),
        JSON.stringify({ from: "two", results: [{ check: "a", outcome: "no tag" }] }),
        JSON.stringify({ from: "two", results: [{ check: "a", reason: "long".repeat(1000) }] }),
        JSON.stringify({ from: "two", results: Array.from({ length: 1001 }, () => results[0]) })
      ]) {
        checks.receiveMessage(message)
        assert.isTrue(members[0]!.isDue("a", every), message.slice(0, 80))
      }
      checks.receiveMessage(
        JSON.stringify({ from: "two", results: [{ check: "a", outcome: "X", reason: "\u001b[2J" }] })
      )
      assert.notInclude(members[0]!.latest("a", every)?.failure?.reason, "\u001b")
      // And of what is in the store.
      shared.database.hset(keys.ofBucket("checks", 0), "b", "now {}")
      shared.database.hset(keys.ofBucket("checks", 0), "c", `${shared.now()} {"outcome":1}`)
      shared.database.hset(
        keys.ofBucket("checks", 0),
        "d",
        `${shared.now() + 1e6} {"outcome":"X","reason":"\u2028"}`
      )
      const { members: later } = yield* machineOf(shared, "three", 1)
      assert.deepStrictEqual(
        ["b", "c", "d"].map((check) => later[0]!.isDue(check, every)),
        [true, true, false]
      )
    })
  )
})
