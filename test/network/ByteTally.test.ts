import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { ByteTally } from "../../src/network/ByteTally.ts"
import { holds } from "../support/property.ts"

const ways = ["fromClient", "toTarget", "fromTarget", "toClient"] as const

describe("ByteTally", () => {
  it("counts in each direction the busier connection, and adds to the earlier count", () => {
    holds(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...ways), fc.nat({ max: 1000 }))), (moves) => {
        const traffic = { sent: 7, received: 11 }
        const tally = new ByteTally(traffic)
        const sums = { fromClient: 0, toTarget: 0, fromTarget: 0, toClient: 0 }
        for (const [way, bytes] of moves) {
          tally.add(way, bytes)
          sums[way] += bytes
        }
        assert.deepStrictEqual(traffic, {
          sent: 7 + Math.max(sums.fromClient, sums.toTarget),
          received: 11 + Math.max(sums.fromTarget, sums.toClient)
        })
        assert.strictEqual(
          tally.moved,
          moves.reduce((sum, [, bytes]) => sum + bytes, 0)
        )
      })
    )
  })
})
