/**
 * The usage of several machines, with a store in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { FleetStoreFailed } from "../../src/Errors.ts"
import * as FleetUsage from "../../src/fleet/FleetUsage.ts"
import * as Keys from "../../src/fleet/Keys.ts"
import * as UsageJournal from "../../src/fleet/UsageJournal.ts"
import * as Usage from "../../src/limits/Usage.ts"
import * as FleetStore from "../support/fleet-store.ts"
import { received } from "../support/usage.ts"

const alice = "user alice"

/** A journal in memory, which outlives its machine. */
const journal = () => {
  let kept: UsageJournal.Unsent = { batch: undefined, rows: [] }
  return {
    kept: () => kept,
    open: (): UsageJournal.UsageJournal => ({
      left: kept,
      save: (unsent) =>
        Effect.sync(() => {
          kept = unsent
        })
    })
  }
}

const machineOn = (
  shared: ReturnType<typeof FleetStore.make>,
  id: string,
  { kept = UsageJournal.none, behind = 0, inner = Usage.make() } = {}
) => {
  const { store: whole, ...link } = shared.connect()
  let isFailing = () => false
  const store: typeof whole = {
    ...whole,
    call: (script, keys, args, answer) =>
      isFailing()
        ? queueMicrotask(() => answer(new FleetStoreFailed({ store: "memory", reason: "no reply" })))
        : whole.call(script, keys, args, answer)
  }
  const state = { weight: 1, denies: false, woken: 0 }
  const now = () => shared.now() + behind
  const usage = FleetUsage.make(inner, {
    ...{ store, keys: Keys.make("fleet"), id, journal: kept, resetDay: 1 },
    ...{ now, storeNow: shared.now },
    weight: () => state.weight,
    denies: () => state.denies,
    wake: () => void state.woken++
  })
  return {
    ...link,
    failing: (is: () => boolean) => {
      isFailing = is
    },
    state,
    usage,
    add: (bytes: number, name = alice) => usage.add(name, received(bytes), now()),
    used: (name = alice) => usage.of(name, now()),
    exchange: shared.settled(usage.exchange)
  }
}

describe("FleetUsage", () => {
  it.effect("each machine learns what all have used, of the accounts that it uses", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, b] = [machineOn(shared, "a"), machineOn(shared, "b")]
      a.add(100)
      a.add(7, "user bob")
      yield* a.exchange
      b.add(0)
      // So that the first session of a user knows soon.
      assert.strictEqual(b.state.woken, 1)
      yield* b.exchange
      assert.deepStrictEqual(b.used(), { day: 100, month: 100 })
      b.add(20)
      yield* b.exchange
      a.add(3)
      yield* a.exchange
      assert.deepStrictEqual(a.used(), { day: 123, month: 123 })
      assert.deepStrictEqual(b.used(), { day: 120, month: 120 })
      assert.deepStrictEqual([...b.usage.takeChanged!()], [alice])
      // A MiB is told at once.
      assert.strictEqual(a.state.woken, 2)
      a.add(2 ** 20)
      assert.strictEqual(a.state.woken, 3)
      // What no quota counts is not told.
      a.usage.add("user carol", received(5), shared.now(), false)
      yield* a.exchange
      // Two accounts, which are in two buckets, and what is remembered of the last batch of each machine in these.
      assert.strictEqual(shared.database.size(), 2 + 3)
    })
  )

  it.effect("a batch counts once where its answer was lost", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const a = machineOn(shared, "a")
      a.add(100)
      const lost = yield* Effect.forkChild(Effect.exit(a.usage.exchange), { startImmediately: true })
      a.cut()
      yield* shared.pass(1000)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(lost)))
      // The store has it.
      const b = machineOn(shared, "b")
      b.add(0)
      yield* b.exchange
      assert.strictEqual(b.used().month, 100)
      a.add(30)
      a.mend()
      yield* a.exchange
      yield* a.exchange
      assert.deepStrictEqual(a.used(), { day: 130, month: 130 })
      yield* b.exchange
      b.add(1)
      yield* b.exchange
      assert.strictEqual(b.used().month, 131)
    })
  )

  it.effect("what a killed machine has not told is in its journal, and counts when it comes back", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const disk = journal()
      const a = machineOn(shared, "a", { kept: disk.open() })
      a.add(100)
      yield* a.exchange
      assert.deepStrictEqual(disk.kept().rows, [])
      shared.stop()
      a.add(50)
      yield* Effect.exit(a.exchange)
      a.add(25)
      yield* Effect.exit(a.exchange)
      shared.start()
      yield* shared.settle
      const again = machineOn(shared, "a, again", { kept: disk.open() })
      for (let turn = 0; turn < 3; turn++) yield* again.exchange
      assert.deepStrictEqual(disk.kept(), { batch: undefined, rows: [] })
      const b = machineOn(shared, "b")
      b.add(0)
      yield* b.exchange
      assert.strictEqual(b.used().month, 175)
    })
  )

  it.effect("a batch that was counted before the machine was killed is not counted again", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const disk = journal()
      const a = machineOn(shared, "a", { kept: disk.open() })
      a.add(100)
      yield* Effect.forkChild(Effect.exit(a.usage.exchange), { startImmediately: true })
      a.cut()
      yield* shared.pass(1000)
      assert.lengthOf(disk.kept().batch?.rows ?? [], 1)
      const again = machineOn(shared, "a, again", { kept: disk.open() })
      yield* again.exchange
      again.add(1)
      yield* again.exchange
      assert.strictEqual(again.used().month, 101)
    })
  )

  it.effect("a batch of which a part was counted counts once as a whole", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const disk = journal()
      const a = machineOn(shared, "a", { kept: disk.open() })
      const names = Array.from({ length: 100 }, (_, index) => `user ${index}`)
      for (const name of names) a.add(100, name)
      // The store is gone in the middle of the batch.
      let calls = 0
      a.failing(() => ++calls > 5)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(a.exchange)))
      assert.isAbove(calls, 5)
      a.failing(() => false)
      const again = machineOn(shared, "a, again", { kept: disk.open() })
      yield* again.exchange
      const b = machineOn(shared, "b")
      for (const name of names) b.add(0, name)
      yield* b.exchange
      for (const name of names) assert.strictEqual(b.used(name).month, 100, name)
    })
  )

  it.effect("runs of servers leave nothing in the usage of accounts", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      for (let run = 0; run < 50; run++) {
        const machine = machineOn(shared, `run ${run}`)
        machine.add(100)
        yield* machine.exchange
      }
      const key = Keys.make("fleet").of("usage", alice)
      assert.deepStrictEqual([...shared.database.hgetall(key).values()], ["5000", "5000"])
      assert.strictEqual(shared.database.size(), 1 + 50)
      yield* shared.pass(36 * 86_400_000)
      assert.strictEqual(shared.database.size(), 1)
    })
  )

  it.effect("a store that has forgotten is told what it has told before", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, b] = [machineOn(shared, "a"), machineOn(shared, "b")]
      a.add(1000)
      yield* a.exchange
      b.add(10)
      yield* b.exchange
      shared.database.flush()
      a.add(5)
      yield* a.exchange
      b.add(6)
      yield* b.exchange
      // At most what machines had told since the others were told last: 10 here, which b knew.
      assert.strictEqual(b.used().month, 1016)
      // A machine that begins has it from the usage that its accounts have.
      shared.database.flush()
      const inner = Usage.make()
      inner.add(alice, received(700), shared.now())
      const c = machineOn(shared, "c", { inner })
      c.add(1)
      yield* c.exchange
      assert.strictEqual(c.used().month, 701)
      a.add(1)
      yield* a.exchange
      assert.isAtLeast(a.used().month, 1006)
    })
  )

  it.effect(
    "without a store all machines together stay within what was left, and forget that afterwards",
    () =>
      Effect.gen(function* () {
        const shared = FleetStore.make()
        const machines = ["a", "b", "c"].map((id) => machineOn(shared, id))
        for (const { add, exchange } of machines) {
          add(0)
          yield* exchange
        }
        const quota = 3000
        shared.stop()
        for (const machine of machines) {
          machine.state.weight = 3
          while (machine.used().month < quota) machine.add(10)
          yield* Effect.exit(machine.exchange)
          const [account] = machine.usage.snapshot(shared.now()).accounts
          assert.isAtLeast(account!.month, quota)
        }
        shared.start()
        yield* shared.settle
        for (const machine of machines) {
          machine.state.weight = 1
          yield* machine.exchange
          yield* machine.exchange
          assert.isTrue(machine.usage.takeChanged!().has(alice))
        }
        assert.strictEqual(machines[2]!.used().month, 3000)
        machines[0]!.state.denies = true
        assert.isAbove(machines[0]!.used().month, 1e15)
      })
  )

  it.effect("what the store has told of accounts is forgotten with the month", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make(Date.parse("2026-11-30T23:59:00Z"))
      const a = machineOn(shared, "a")
      for (const name of [alice, "user bob"]) a.add(100, name)
      yield* a.exchange
      const before = a.state.woken
      a.add(0)
      assert.strictEqual(a.state.woken, before)
      yield* shared.pass(120_000)
      a.add(1, "user bob")
      yield* a.exchange
      // The store is asked for it as for an account that is new here.
      a.add(0)
      assert.strictEqual(a.state.woken, before + 1)
    })
  )

  it.effect("the day is that of the store, whatever the clock of a machine says", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make(Date.parse("2026-11-30T23:59:00Z"))
      const [a, late] = [machineOn(shared, "a"), machineOn(shared, "late", { behind: -86_400_000 })]
      a.add(100)
      yield* a.exchange
      late.add(10)
      yield* late.exchange
      assert.deepStrictEqual(late.used(), { day: 110, month: 110 })
      yield* shared.pass(120_000)
      a.add(1)
      yield* a.exchange
      assert.deepStrictEqual(a.used(), { day: 1, month: 1 })
    })
  )
})
