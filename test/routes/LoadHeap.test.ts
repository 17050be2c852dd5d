import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { LoadHeap } from "../../src/routes/LoadHeap.ts"
import { holds } from "../support/property.ts"

interface Member {
  readonly weight: number
  sessions: number
  isDown: boolean
}

/** The same by looking at all of them. */
const least = (members: ReadonlyArray<Member>): Member | undefined =>
  members
    .filter(({ isDown }) => !isDown)
    .reduce<Member | undefined>(
      (best, member) =>
        best === undefined || (member.sessions + 1) / member.weight < (best.sessions + 1) / best.weight
          ? member
          : best,
      undefined
    )

describe("the heap of members by their load", () => {
  it("gives the one with the smallest load that may be used, whatever changes", () =>
    holds(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 30 }),
        fc.array(fc.tuple(fc.nat(29), fc.integer({ min: -2, max: 3 }), fc.boolean()), { maxLength: 100 }),
        (weights, changes) => {
          const members = weights.map((weight): Member => ({ weight, sessions: 0, isDown: false }))
          const heap = new LoadHeap(members)
          for (const [index, difference, isDown] of changes) {
            const member = members[index]
            if (member === undefined) continue
            member.sessions = Math.max(0, member.sessions + difference)
            member.isDown = isDown
            heap.update(member)
            assert.strictEqual(
              heap.first((each) => !each.isDown),
              least(members)
            )
          }
        }
      )
    ))

  it("looks at few of many, also where many may not be used, and comes back to these", () => {
    const members = Array.from(
      { length: 10_000 },
      (_, i): Member => ({
        ...{ weight: 1, sessions: 0, isDown: i % 10 === 3 }
      })
    )
    const heap = new LoadHeap(members)
    let looks = 0
    const choose = () => {
      const chosen = heap.first(({ isDown }) => {
        looks++
        return !isDown
      })!
      chosen.sessions++
      heap.update(chosen)
      return chosen
    }
    for (let i = 0; i < 18_500; i++) choose()
    const usable = members.filter(({ isDown }) => !isDown)
    assert.deepStrictEqual(new Set(usable.map(({ sessions }) => sessions)), new Set([2, 3]))
    looks = 0
    for (let i = 0; i < 500; i++) choose()
    assert.isAtMost(looks, 500 * 33)
    const back = members[103]!
    back.isDown = false
    // Once around those that were set aside.
    for (let i = 0; i < 1000 / 32 + 1; i++) choose()
    assert.isAbove(back.sessions, 0)
  })
})
