/**
 * Long work that leaves others their turns.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Slices from "../../src/base/Slices.ts"

/** Takes two milliseconds of the processor in each piece. */
function* busy(pieces: number): Slices.Work<number> {
  for (let piece = 0; piece < pieces; piece++) {
    const until = performance.now() + 2
    while (performance.now() < until);
    yield
  }
  return pieces
}

describe("work in pieces", () => {
  it.effect("yields to other fibers every few milliseconds", () =>
    Effect.gen(function* () {
      let turns = 0
      const other = setInterval(() => turns++, 0)
      assert.strictEqual(yield* Slices.run(busy(60)), 60)
      clearInterval(other)
      assert.isAbove(turns, 10)
    })
  )

  it("has the same result without yielding", () => {
    assert.strictEqual(Slices.runSync(busy(2)), 2)
    const numbers = Array.from({ length: 1000 }, (_, index) => index)
    assert.deepStrictEqual(
      Slices.runSync(Slices.map(numbers, (number) => number * 2)),
      numbers.map((number) => number * 2)
    )
    const doubled = Slices.runSync(Slices.append([-1], numbers, (number) => number * 2))
    assert.deepStrictEqual(doubled.slice(0, 3), [-1, 0, 2])
    assert.strictEqual(Slices.runSync(Slices.find(numbers, (number) => number > 700)), 701)
    assert.isUndefined(Slices.runSync(Slices.find(numbers, (number) => number < 0)))
    assert.deepStrictEqual(Slices.runSync(Slices.set(numbers)), new Set(numbers))
    let sum = 0
    Slices.runSync(
      Slices.each(numbers, (number) => {
        sum += number
      })
    )
    assert.strictEqual(sum, 499_500)
  })

  it("sorts as an array does, and keeps the order of equal items", () => {
    for (const length of [0, 1, 255, 256, 257, 1000, 3000]) {
      const items = Array.from({ length }, (_, index) => [(index * 7919) % 101, index] as const)
      const compare = ([one]: readonly [number, number], [other]: readonly [number, number]) => one - other
      assert.deepStrictEqual(Slices.runSync(Slices.sort(items, compare)), [...items].sort(compare))
    }
  })

  it("yields between the steps", () => {
    const numbers = Array.from({ length: 100_000 }, (_, index) => index)
    let pieces = 0
    for (const _ of Slices.each(numbers, () => {})) pieces++
    assert.isAbove(pieces, 300)
  })
})
