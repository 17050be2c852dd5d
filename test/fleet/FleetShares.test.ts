import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { chance, Fleet } from "../support/fleet.ts"
import { holds } from "../support/property.ts"

const name = "upload of user alice"

const shares = (fleet: Fleet) =>
  [...fleet.machines].map(({ members }) =>
    members.reduce((sum, { shares }) => sum + (shares.get(name) ?? 0), 0)
  )

const total = (fleet: Fleet) => shares(fleet).reduce((sum, one) => sum + one, 0)

let id = 0
const enter = (fleet: Fleet, at: number, member = 0) =>
  fleet.at(at).share({ _tag: "enter", name, id: ++id }, member)

describe("the shares of a fleet", () => {
  it("are all of the rate for one, and equal parts for several", () => {
    const fleet = Fleet.of(3, { members: 2 })
    enter(fleet, 0)
    fleet.clock.pass(1000)
    assert.deepStrictEqual(shares(fleet), [1, 0, 0])
    enter(fleet, 1)
    enter(fleet, 1, 1)
    fleet.clock.pass(1000)
    for (const share of shares(fleet).slice(0, 2)) assert.closeTo(share, 0.5, 0.01)
    enter(fleet, 2)
    fleet.clock.pass(2500)
    for (const share of shares(fleet)) assert.closeTo(share, 1 / 3, 0.01)
  })

  it("follow the demand", () => {
    const fleet = Fleet.of(2)
    enter(fleet, 0)
    enter(fleet, 1)
    fleet.clock.pass(3000)
    fleet.at(1).share({ _tag: "demand", name, isBusy: false })
    fleet.clock.pass(3000)
    const [one, other] = shares(fleet)
    assert.closeTo(one!, 8 / 9, 0.01)
    assert.closeTo(other!, 1 / 9, 0.01)
    fleet.at(1).share({ _tag: "leave", name })
    fleet.clock.pass(3000)
    assert.closeTo(shares(fleet)[0]!, 1, 0.01)
  })

  it("of a machine that is gone are the others' after a lease", () => {
    const fleet = Fleet.of(2)
    enter(fleet, 0)
    enter(fleet, 1)
    fleet.clock.pass(3000)
    fleet.at(0).kill()
    fleet.clock.pass(9000)
    assert.closeTo(total(fleet), 1, 0.01)
  })

  it("are equal parts without a store, or none, or what they were", () => {
    for (const [fault, expected] of [
      ["share", [1 / 3, 1 / 3]],
      ["deny", [0, 0]],
      ["keep", [8 / 9, 1 / 9]]
    ] as const) {
      const fleet = Fleet.of(3, { fault })
      enter(fleet, 0)
      enter(fleet, 1)
      fleet.at(1).share({ _tag: "demand", name, isBusy: false })
      fleet.clock.pass(4000)
      fleet.store.stop()
      fleet.clock.pass(7000)
      const [one, other] = shares(fleet)
      assert.closeTo(one!, expected[0], 0.01, fault)
      assert.closeTo(other!, expected[1], 0.01, fault)
      fleet.store.start()
      fleet.clock.pass(15_000)
      assert.closeTo(total(fleet), 1, 0.02, fault)
    }
  })

  it("never add up to more than the rate, while the store is there", () => {
    holds(
      fc.property(fc.integer({ min: 1, max: 1_000_000_000 }), (seed) => {
        const random = chance(seed)
        const fleet = Fleet.of(8, { members: 2, latency: () => random() * 20 })
        const inUse = new Set<string>()
        for (let step = 0; step < 150; step++) {
          const at = Math.floor(random() * fleet.machines.size)
          const member = Math.floor(random() * 2)
          const place = `${fleet.at(at).id} ${member}`
          if (!inUse.has(place)) {
            inUse.add(place)
            enter(fleet, at, member)
          } else if (random() < 0.7) {
            fleet.at(at).share({ _tag: "demand", name, isBusy: random() < 0.5 }, member)
          } else {
            inUse.delete(place)
            fleet.at(at).share({ _tag: "leave", name }, member)
            fleet.at(at).members[member]!.shares.delete(name)
          }
          for (let moment = 0; moment < 10; moment++) {
            fleet.clock.pass(random() * 60)
            assert.isAtMost(total(fleet), 1.000_01)
          }
        }
      }),
      { numRuns: 3 }
    )
  })
})
