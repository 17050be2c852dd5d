/**
 * The number of machines, as the store tells it.
 */
import { assert, describe, it } from "@effect/vitest"
import { MachineCount } from "../../src/fleet/MachineCount.ts"

/** The numbers that hold after the store has told these, each at its time in milliseconds. */
const held = (...told: ReadonlyArray<readonly [machines: number, now: number]>) => {
  const count = new MachineCount(6000, 5)
  return told.map(([machines, now]) => {
    count.see(machines, now)
    return count.machines
  })
}

describe("the number of machines", () => {
  it("is more at once", () => {
    assert.deepStrictEqual(held([6, 0], [9, 1]), [6, 9])
  })

  it("is fewer only when a whole lease has shown no more, as a store that has forgotten shows too few", () => {
    assert.deepStrictEqual(held([1, 0], [3, 3000], [2, 6000], [2, 6001]), [5, 5, 5, 2])
    assert.deepStrictEqual(held([1, 0], [5, 5000], [1, 7000], [1, 12_000], [1, 13_001]), [5, 5, 5, 5, 1])
  })

  it("is at least one", () => {
    assert.deepStrictEqual(held([0, 0], [0, 6001]), [5, 1])
  })
})
