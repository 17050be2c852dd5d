/**
 * Workers that are told to change to other settings.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { type Texts, WorkerFault } from "../../src/workers/Messages.ts"
import * as PendingReloads from "../../src/workers/PendingReloads.ts"

const first = [["settings.yaml", "first"]] as const
const second = [["settings.yaml", "second"]] as const

const employ = () => {
  const told: Array<string> = []
  return {
    told,
    send: ({ texts }: { readonly texts: Texts }) => void told.push(texts[0]![1]),
    kill: () => void told.push("killed")
  }
}

describe("PendingReloads", () => {
  it.effect("are answered one after the other, also if the second comes before the first is made", () =>
    Effect.gen(function* () {
      const changes = PendingReloads.make()
      const worker = employ()
      const one = yield* Effect.forkChild(changes.ask(worker, first), { startImmediately: true })
      const other = yield* Effect.forkChild(changes.ask(worker, second), { startImmediately: true })
      assert.deepStrictEqual(worker.told, ["first", "second"])
      assert.strictEqual(changes.answer(worker, Exit.void), first)
      yield* Fiber.join(one)
      assert.isTrue(changes.isAsked(worker))
      const fault = new WorkerFault({ message: "no" })
      assert.strictEqual(changes.answer(worker, Exit.fail(fault)), second)
      assert.strictEqual(yield* Effect.flip(Fiber.join(other)), fault)
      assert.isFalse(changes.isAsked(worker))
      assert.isUndefined(changes.answer(worker, Exit.void))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(worker.told, ["first", "second"])
    })
  )

  it.effect("end with the worker, which is killed if it does not answer", () =>
    Effect.gen(function* () {
      const changes = PendingReloads.make()
      const [dead, silent] = [employ(), employ()]
      const gone = yield* Effect.forkChild(changes.ask(dead, first), { startImmediately: true })
      const late = yield* Effect.forkChild(changes.ask(silent, first), { startImmediately: true })
      changes.remove(dead)
      assert.strictEqual(yield* Effect.flip(Fiber.join(gone)), "gone")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* Effect.flip(Fiber.join(late)), "gone")
      assert.deepStrictEqual([dead.told, silent.told], [["first"], ["first", "killed"]])
    })
  )
})
