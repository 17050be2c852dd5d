import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { LiveSet } from "../../src/base/LiveSet.ts"
import { holds } from "../support/property.ts"

describe("LiveSet", () => {
  it("has what was added and not deleted, as a Set has", () =>
    holds(
      fc.property(fc.array(fc.nat(9)), (numbers) => {
        const live = new LiveSet<{ readonly number: number }>()
        const model = new Map<
          number,
          { readonly item: { readonly number: number }; readonly place: number }
        >()
        for (const number of numbers) {
          const known = model.get(number)
          if (known) {
            live.delete(known.item, known.place)
            model.delete(number)
          } else {
            const item = { number }
            model.set(number, { item, place: live.add(item) })
          }
          assert.strictEqual(live.size, model.size)
          assert.deepStrictEqual([...live].map(({ number }) => number).sort(), [...model.keys()].sort())
        }
      })
    ))

  it("deletes an item once, also when another item has its place", () => {
    const live = new LiveSet<object>()
    const [one, other] = [{}, {}]
    const place = live.add(one)
    live.delete(one, place)
    assert.strictEqual(live.add(other), place)
    live.delete(one, place)
    assert.deepStrictEqual([...live], [other])
    assert.strictEqual(live.size, 1)
  })

  it("can be iterated while items are added and deleted", () => {
    const live = new LiveSet<{ readonly name: string }>()
    const places = ["a", "b", "c"].map((name) => {
      const item = { name }
      return { item, place: live.add(item) }
    })
    const seen: Array<string> = []
    for (const { name } of live) {
      seen.push(name)
      if (name === "a") live.delete(places[1]!.item, places[1]!.place)
      if (name === "c") live.add({ name: "d" })
    }
    assert.deepStrictEqual(seen, ["a", "c"])
    assert.strictEqual(live.size, 3)
  })
})
