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

  it("looks at few of many", () => {
    const members = Array.from({ length: 10_000 }, (): Member => ({ weight: 1, sessions: 0, isDown: false }))
    const heap = new LoadHeap(members)
    let looks = 0
    for (let i = 0; i < 25_000; i++) {
      const chosen = heap.first(() => ++looks > 0)!
      chosen.sessions++
      heap.update(chosen)
    }
    assert.strictEqual(looks, 25_000)
    assert.deepStrictEqual(new Set(members.map(({ sessions }) => sessions)), new Set([2, 3]))
  })
})
