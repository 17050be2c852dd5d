import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Entry, Queue } from "../../src/base/Queue.ts"
import { holds } from "../support/property.ts"

const items = <A>(queue: Queue<A>): Array<A> => {
  const all: Array<A> = []
  for (let entry = queue.first; entry !== undefined; entry = entry.after) all.push(entry.item)
  return all
}

describe("Queue", () => {
  it("keeps the order, whatever is deleted, and however often", () =>
    holds(
      fc.property(fc.array(fc.nat(99)), (numbers) => {
        const queue = new Queue<number>()
        const entries: Array<Entry<number>> = []
        let expected: Array<number> = []
        for (const [index, number] of numbers.entries()) {
          const entry = number % 2 === 1 ? entries[number % (entries.length || 1)] : undefined
          if (entry === undefined) {
            entries.push(queue.add(index))
            expected.push(index)
          } else {
            queue.delete(entry)
            expected = expected.filter((item) => item !== entry.item)
          }
          assert.deepStrictEqual(items(queue), expected)
        }
      })
    ))

  it("keeps no deleted entries", () => {
    const queue = new Queue<string>()
    const [one, two] = [queue.add("one"), queue.add("two"), queue.add("three")]
    queue.delete(two)
    queue.delete(one)
    for (const entry of [one, two])
      assert.deepStrictEqual([entry.before, entry.after], [undefined, undefined])
    assert.deepStrictEqual(items(queue), ["three"])
  })
})
