/**
 * What a bounded table remembers, and what it forgets.
 */
import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Recent from "../../src/policy/Recent.ts"

it("remembers the keys used last, whatever came before, and never more than twice as many", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(30)), { maxLength: 200, size: "max" }), (uses) => {
      const limit = 5
      const recent = Recent.make<number, string>(limit)
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
