/**
 * Questions to the machines of a fleet, with a store in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as FleetPeers from "../../src/fleet/FleetPeers.ts"
import { run } from "../../src/fleet/FleetStore.ts"
import * as Keys from "../../src/fleet/Keys.ts"
import * as Beat from "../../src/fleet/scripts/Beat.ts"
import * as FleetStore from "../support/fleet-store.ts"

const keys = Keys.make("fleet")

const machineOn = Effect.fnUntraced(function* (shared: ReturnType<typeof FleetStore.make>, id: string) {
  const { store, ...link } = shared.connect()
  yield* shared.settled(Effect.orDie(run(store, Beat.Beat, Beat.keys(keys), [id, `of ${id}`, 6000])))
  const peers = yield* FleetPeers.make({ store, keys, self: { id, told: `of ${id}` } })
  yield* peers.answer((question) => Effect.succeed(`${id} was asked ${question}`))
  return {
    ...link,
    ask: (...asked: Parameters<typeof peers.ask>) => shared.settled(peers.ask(...asked)),
    peers
  }
})

const answers = ({ replies }: FleetPeers.Replies) => replies.map(({ answer }) => answer).sort()

describe("FleetPeers", () => {
  it.effect("asks all machines, or one", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a] = yield* Effect.forEach(["a", "b", "c"], (id) => machineOn(shared, id))
      const all = yield* a!.ask("how")
      assert.deepStrictEqual(answers(all), ["a was asked how", "b was asked how", "c was asked how"])
      assert.deepStrictEqual([all.missing, all.isStoreLost], [[], false])
      assert.deepStrictEqual(answers(yield* a!.ask("why", { machine: "b" })), ["b was asked why"])
      assert.deepStrictEqual(answers(yield* a!.ask("why", { machine: "a" })), ["a was asked why"])
      assert.deepStrictEqual(answers(yield* a!.ask("why", { machine: "d" })), [])
    })
  )

  it.effect("names the machines that do not answer in time, and says when there is no store", () =>
    Effect.gen(function* () {
      const shared = FleetStore.make()
      const [a, b] = yield* Effect.forEach(["a", "b", "c"], (id) => machineOn(shared, id))
      b!.cut()
      const asking = yield* Effect.forkChild(a!.peers.ask("how"), { startImmediately: true })
      yield* shared.settle
      yield* TestClock.adjust("1500 millis")
      const partial = yield* Fiber.join(asking)
      assert.deepStrictEqual(answers(partial), ["a was asked how", "c was asked how"])
      assert.deepStrictEqual(partial.missing, [{ id: "b", told: "of b" }])

      shared.stop()
      const alone = yield* a!.ask("how")
      assert.deepStrictEqual(answers(alone), ["a was asked how"])
      assert.isTrue(alone.isStoreLost)
    })
  )
})
