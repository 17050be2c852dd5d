/**
 * Changes of users on several machines, with a store in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as References from "effect/References"
import * as FleetUsers from "../../src/fleet/FleetUsers.ts"
import * as Keys from "../../src/fleet/Keys.ts"
import * as FleetStore from "../support/fleet-store.ts"
import * as Temporary from "../support/temporary.ts"

const machineOn = Effect.fnUntraced(function* (
  shared: ReturnType<typeof FleetStore.make>,
  stateDir?: string
) {
  const { store, ...link } = shared.connect()
  const users = yield* FleetUsers.make({ store, keys: Keys.make("fleet"), stateDir })
  const made: Array<string> = []
  yield* users.follow(({ name, enabled, isRemoved }) =>
    Effect.sync(() => void made.push(`${name} ${isRemoved ? "removed" : (enabled ?? "changed")}`))
  )
  const exchange = shared.settled(users.exchange)
  yield* exchange
  return {
    ...link,
    exchange,
    tell: (change: FleetUsers.UserChange) => shared.settled(users.tell(change)),
    made: () => made.splice(0)
  }
})

describe("FleetUsers", () => {
  it.effect("each machine makes the changes of the others once, in their order", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, b] = [yield* machineOn(shared), yield* machineOn(shared)]
      yield* a.tell({ name: "alice", enabled: false })
      yield* a.tell({ name: "alice", enabled: true })
      yield* b.exchange
      yield* b.tell({ name: "bob", isRemoved: true })
      yield* a.exchange
      yield* b.exchange
      assert.deepStrictEqual(b.made(), ["alice false", "alice true"])
      assert.include(a.made(), "bob removed")
    })
  )

  it.effect("a machine that was away makes what it has missed, and one that is new what revokes", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const directory = yield* Temporary.directory
      const a = yield* machineOn(shared)
      const b = yield* machineOn(shared, directory)
      yield* a.tell({ name: "alice", enabled: false })
      yield* b.exchange
      assert.deepStrictEqual(b.made(), ["alice false"])
      yield* a.tell({ name: "bob", isNew: true, passwordHash: "hash" })
      yield* a.tell({ name: "carol", enabled: false })
      yield* a.tell({ name: "carol", enabled: true })
      const again = yield* machineOn(shared, directory)
      assert.deepStrictEqual(again.made(), ["bob changed", "carol false", "carol true"])
      const fresh = yield* machineOn(shared)
      assert.deepStrictEqual(fresh.made(), ["alice false"])
    })
  )

  it.effect("a change without a store waits, and one on an emptied store is made", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, b] = [yield* machineOn(shared), yield* machineOn(shared)]
      yield* a.tell({ name: "alice", enabled: true })
      yield* b.exchange
      b.made()
      shared.stop()
      assert.isTrue(Exit.isFailure(yield* Effect.exit(a.tell({ name: "bob", enabled: false }))))
      shared.database.flush()
      shared.start()
      yield* shared.settle
      yield* a.exchange
      yield* b.exchange
      assert.deepStrictEqual(b.made(), ["bob false"])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
})
