/**
 * Workers that are told to change to other settings.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { nothing, type Texts, WorkerFault } from "../../src/workers/Messages.ts"
import * as Reloads from "../../src/workers/Reloads.ts"

const [zeroth, first, second] = ["zeroth", "first", "second"].map(
  (text): Texts => ({ ...nothing, files: [["settings.yaml", text]] })
) as [Texts, Texts, Texts]

/** A worker, what it was told, and the numbers to answer to. */
const employ = (pid: number) => {
  const told: Array<string> = []
  const ids: Array<number> = []
  return {
    ...{ pid, told, ids },
    send: ({ id, texts }: { readonly id: number; readonly texts: Texts }) => {
      told.push(texts.files[0]![1])
      ids.push(id)
    },
    retire: () => void told.push("retired"),
    kill: () => void told.push("killed")
  }
}

type Worker = ReturnType<typeof employ>

/** Two workers that serve, of which these are late. */
const world = Effect.fnUntraced(function* (...late: ReadonlyArray<number>) {
  const workers = [employ(1), employ(2)] as const
  const reloads = yield* Reloads.make<Worker>({
    missedBeats: ({ pid }) => (late.includes(pid) ? 9 : 0),
    isLate: ({ pid }) => late.includes(pid)
  })
  reloads.setTexts(zeroth)
  for (const worker of workers) reloads.add(worker, zeroth)
  return { ...reloads, workers }
})

const fault = new WorkerFault({ message: "no" })

describe("Reloads", () => {
  it.effect("are tried by one worker, and then made by the others at once", () =>
    Effect.gen(function* () {
      const { workers, lead, follow, answer, inForce } = yield* world()
      const [one, other] = workers
      const leading = yield* Effect.forkChild(lead(first), { startImmediately: true })
      assert.deepStrictEqual([one.told, other.told], [["first"], []])
      assert.strictEqual(inForce(), zeroth)
      assert.isTrue(answer(one, one.ids[0]!, Exit.void))
      assert.strictEqual(yield* Fiber.join(leading), one)
      assert.strictEqual(inForce(), first)
      const following = yield* Effect.forkChild(follow(one), { startImmediately: true })
      assert.deepStrictEqual([one.told, other.told], [["first"], ["first"]])
      answer(other, other.ids[0]!, Exit.void)
      yield* Fiber.join(following)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([one.told, other.told], [["first"], ["first"]])
    })
  )

  it.effect("change nothing when the first worker fails, and replace a worker that cannot follow", () =>
    Effect.gen(function* () {
      const { workers, lead, follow, answer, inForce, serving } = yield* world()
      const [one, other] = workers
      const failing = yield* Effect.forkChild(Effect.sandbox(lead(first)), { startImmediately: true })
      answer(one, one.ids[0]!, Exit.fail(fault))
      assert.isTrue(Exit.isFailure(yield* Fiber.await(failing)))
      assert.strictEqual(inForce(), zeroth)
      assert.deepStrictEqual(other.told, [])

      const leading = yield* Effect.forkChild(lead(second), { startImmediately: true })
      answer(one, one.ids[1]!, Exit.void)
      const following = yield* Effect.forkChild(follow(yield* Fiber.join(leading)), {
        startImmediately: true
      })
      answer(other, other.ids[0]!, Exit.fail(fault))
      yield* Fiber.join(following)
      assert.deepStrictEqual(other.told, ["second", "retired"])
      assert.deepStrictEqual([...serving], [one])
    })
  )

  it.effect("run one after the other, and reach a worker that missed them", () =>
    Effect.gen(function* () {
      const { lead, follow, answer, remove, add, workers } = yield* world()
      for (const worker of workers) remove(worker)
      assert.isUndefined(yield* lead(first))
      // It started with what was in force before.
      const late = employ(3)
      add(late, zeroth)
      assert.deepStrictEqual(late.told, ["first"])
      const leading = yield* Effect.forkChild(lead(second), { startImmediately: true })
      assert.deepStrictEqual(late.told, ["first", "second"])
      answer(late, late.ids[0]!, Exit.void)
      assert.isUndefined(leading.pollUnsafe())
      answer(late, late.ids[1]!, Exit.void)
      assert.strictEqual(yield* Fiber.join(leading), late)
      yield* follow(late)
      assert.deepStrictEqual(late.told, ["first", "second"])
    })
  )

  it.effect("wait for no late worker, and kill a worker that does not answer", () =>
    Effect.gen(function* () {
      const { workers, lead, follow, answer } = yield* world(2)
      const [prompt, late] = workers
      const leading = yield* Effect.forkChild(lead(first), { startImmediately: true })
      answer(prompt, prompt.ids[0]!, Exit.void)
      yield* follow(yield* Fiber.join(leading))
      assert.deepStrictEqual([prompt.told, late.told], [["first"], ["first"]])
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(late.told, ["first", "killed"])
    })
  )

  it.effect("continue with another worker when one ends", () =>
    Effect.gen(function* () {
      const { workers, lead, answer, remove } = yield* world()
      const [one, other] = workers
      const leading = yield* Effect.forkChild(lead(first), { startImmediately: true })
      remove(one)
      assert.deepStrictEqual(other.told, ["first"])
      answer(other, other.ids[0]!, Exit.void)
      assert.strictEqual(yield* Fiber.join(leading), other)
    })
  )
})
