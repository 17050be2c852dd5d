/**
 * That equal lists have one number, and different ones different numbers.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { ListTable } from "../../src/base/ListTable.ts"
import { holds } from "../support/property.ts"

describe("ListTable", () => {
  it("has a number for each list, and gives the list back", () => {
    const list = fc.array(fc.oneof(fc.constantFrom(-1, 0, 1, 2), fc.integer()), { maxLength: 4 })
    holds(
      fc.property(fc.array(list, { maxLength: 80 }), (lists) => {
        const table = new ListTable()
        const numbers = new Map<string, number>()
        for (const list of lists) {
          const number = table.intern(list)
          assert.strictEqual(number, numbers.get(String(list)) ?? numbers.size)
          numbers.set(String(list), number)
        }
        assert.strictEqual(table.size, numbers.size)
        for (const list of lists) {
          const number = table.intern(Int32Array.from(list))
          assert.deepStrictEqual([...table.list(number)], list)
          assert.strictEqual(table.length(number), list.length)
          for (const [at, item] of list.entries()) assert.strictEqual(table.item(number, at), item)
        }
      })
    )
  })
})
