/**
 * What a bounded table remembers, and what it forgets.
 */
import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as LruMap from "../../src/base/LruMap.ts"
import { holds } from "../support/property.ts"

it("remembers the most recently used keys, and never more than twice as many", () => {
  holds(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(30)), { maxLength: 200, size: "max" }), (uses) => {
      const limit = 5
      const recent = LruMap.make<number, string>(limit)
      let last: ReadonlyArray<number> = []
      for (const [isWrite, key] of uses) {
        if (isWrite) recent.set(key, `${key}`)
        else if (recent.get(key) === undefined) continue
        last = [key, ...last.filter((other) => other !== key)].slice(0, limit)
      }
      const held = new Map(recent.entries())
      assert.isAtMost(held.size, 2 * limit)
      for (const key of last) {
        assert.strictEqual(held.get(key), `${key}`)
        assert.strictEqual(recent.get(key), `${key}`)
      }
    })
  )
})

it("remembers only a few keys when the shared budget is used up, and reports their number", () => {
  let places = 0
  const shared = { hasPlaces: () => places < 100, changePlaces: (by: number) => (places += by) }
  const [one, other] = [LruMap.make<number, number>(1000, shared), LruMap.make<number, number>(1000, shared)]
  for (let i = 0; i < 1000; i++) one.set(i, i)
  for (let i = 0; i < 1000; i++) other.set(i, i)
  assert.isAtMost(places, 100 + 2 * 16)
  assert.strictEqual(places, one.entries().length + other.entries().length)
  for (let i = 985; i < 1000; i++) assert.strictEqual(other.get(i), i)
  assert.isUndefined(other.get(800))
})
