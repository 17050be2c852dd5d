import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { SortedSet } from "../../src/fleet/SortedSet.ts"
import { holds } from "../support/property.ts"

const changes = fc.array(
  fc.tuple(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"), fc.option(fc.integer({ min: 0, max: 5 }))),
  { maxLength: 60 }
)

describe("a sorted set", () => {
  it("has its members by score, and by name where scores are the same", () => {
    holds(
      fc.property(changes, (all) => {
        const set = new SortedSet()
        const scores = new Map<string, number>()
        for (const [member, score] of all) {
          if (score === null) {
            set.delete(member)
            scores.delete(member)
          } else {
            set.set(member, score)
            scores.set(member, score)
          }
          const sorted = [...scores].sort(([a, one], [b, other]) => one - other || (a < b ? -1 : 1))
          for (const same of [set, set.copy()]) {
            assert.strictEqual(same.size, sorted.length)
            for (const most of [-1, 2, Infinity]) {
              const up = sorted.flatMap(([name, at]) => (at <= most ? [name] : []))
              assert.deepStrictEqual(same.upTo(most), up)
            }
            for (const [place, [name, at]] of sorted.entries()) {
              assert.strictEqual(same.rank(name), place)
              assert.strictEqual(same.score(name), at)
            }
          }
          assert.isUndefined(set.rank("none"))
          assert.isUndefined(set.score("none"))
        }
      })
    )
  })

  it("stays as it is when a copy of it changes", () => {
    const set = new SortedSet()
    set.set("a", 1)
    const copy = set.copy()
    copy.set("b", 0)
    copy.delete("a")
    assert.deepStrictEqual([set.upTo(Infinity), copy.upTo(Infinity)], [["a"], ["b"]])
  })
})
