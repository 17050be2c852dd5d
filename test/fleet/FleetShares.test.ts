import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Demand, TakeShare, whole } from "../../src/fleet/scripts/TakeShare.ts"
import { chance, Fleet } from "../support/fleet.ts"
import { holds } from "../support/property.ts"

const name = "upload of user alice"

const shares = (fleet: Fleet) =>
  [...fleet.machines].map((machine) =>
    machine.members.reduce((sum, _, member) => sum + machine.shareOf(name, member), 0)
  )

const total = (fleet: Fleet) => shares(fleet).reduce((sum, one) => sum + one, 0)

const enter = (fleet: Fleet, at: number, member = 0) => fleet.at(at).enter(name, member)

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
    fleet.at(1).demand(name, false)
    fleet.clock.pass(3000)
    const [one, other] = shares(fleet)
    assert.closeTo(one!, 19 / 20, 0.01)
    assert.closeTo(other!, 1 / 20, 0.01)
    fleet.at(1).leaveShare(name)
    fleet.clock.pass(3000)
    assert.closeTo(shares(fleet)[0]!, 1, 0.01)
  })

  it("are asked for once a second, renewals among that", () => {
    const fleet = Fleet.of(2)
    enter(fleet, 0)
    enter(fleet, 1)
    fleet.clock.pass(3000)
    const { scripts } = fleet.store.counts
    fleet.clock.pass(20_000)
    // Beside the signs of life, every two seconds.
    assert.isAtMost(fleet.store.counts.scripts - scripts, 2 * (20 + 10) + 2)
  })

  it("are asked for few times, and are there at once, where each of many machines gives some to one", () => {
    const random = chance(1)
    const fleet = Fleet.of(30, { latency: () => random() * 2 })
    for (let at = 0; at < 29; at++) enter(fleet, at)
    // Between two renewals, and just behind a sweep.
    fleet.clock.pass(9050)
    const { scripts } = fleet.store.counts
    enter(fleet, 29)
    fleet.clock.pass(800)
    for (const share of shares(fleet)) assert.closeTo(share, 1 / 30, 0.001)
    assert.isAtMost(fleet.store.counts.scripts - scripts, 4 * 30)
  })

  it("are there for each of many machines within three calls, also while more and more of them begin", () => {
    for (let seed = 1; seed <= 2; seed++) {
      const random = chance(seed)
      const fleet = Fleet.of(400, { latency: () => random() * 5 })
      const since = new Map<number, number>()
      for (let time = 0; time < 120; time++) {
        for (let count = 0; count < 4; count++) {
          const at = Math.floor(random() * fleet.machines.size)
          if (!since.has(at)) enter(fleet, at)
          since.set(at, since.get(at) ?? fleet.clock.now)
        }
        fleet.clock.pass(100)
        const all = shares(fleet)
        const waits = [...since].map(([at, from]) => (all[at] === 0 ? fleet.clock.now - from : 0))
        assert.isAtMost(Math.max(...waits), 3000)
      }
    }
  })

  it("are as the later order says, where an earlier one arrives behind that", () => {
    const fleet = Fleet.of(1)
    const { database } = fleet.store
    const take = (order: number, using: number) =>
      TakeShare.run(
        database,
        ["epoch", "shares", "ends"],
        ["one", name, "", order, Demand.busy, using, 6000].map(String)
      )
    database.hset("epoch", "at", 0)
    assert.strictEqual(take(2, 500_000), whole)
    assert.strictEqual(take(1, 0), -1)
    assert.strictEqual(database.hget("shares", "#share"), String(whole))
    assert.strictEqual(take(3, 400_000), whole)
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
      ["keep", [19 / 20, 1 / 20]]
    ] as const) {
      const fleet = Fleet.of(3, { fault })
      enter(fleet, 0)
      enter(fleet, 1)
      fleet.at(1).demand(name, false)
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

  it("never add up to more than the rate, while the store is there, however slow it and members are", () => {
    holds(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000_000 }),
        fc.constantFrom(20, 300),
        fc.constantFrom(0, 50),
        (seed, slow, lag) => {
          const random = chance(seed)
          const fleet = Fleet.of(4, { lag: () => lag, members: 2, latency: () => random() * slow })
          const inUse = new Set<string>()
          for (let step = 0; step < 150; step++) {
            const at = Math.floor(random() * fleet.machines.size)
            const member = Math.floor(random() * 2)
            const place = `${fleet.at(at).id} ${member}`
            if (!inUse.has(place)) {
              inUse.add(place)
              enter(fleet, at, member)
            } else if (random() < 0.7) {
              fleet.at(at).demand(name, random() < 0.5, member)
            } else {
              inUse.delete(place)
              fleet.at(at).leaveShare(name, member)
            }
            for (let moment = 0; moment < 10; moment++) {
              fleet.clock.pass(random() * 60)
              assert.isAtMost(total(fleet), 1.000_01)
            }
          }
        }
      ),
      { numRuns: 8 }
    )
  })

  it("are less at once when the lease ends, and not only when the store has not answered", () => {
    const fleet = Fleet.of(3)
    enter(fleet, 0)
    fleet.clock.pass(2100)
    fleet.at(0).connection.freeze()
    fleet.clock.pass(4850)
    // Others may have the share, and an answer is still waited for.
    assert.isTrue(fleet.at(0).membership.isLost)
    assert.isFalse(fleet.at(0).membership.isAlone())
    assert.closeTo(shares(fleet)[0]!, 1 / 3, 0.01)
  })

  it("of a machine that stood still are not those of before", () => {
    const fleet = Fleet.of(2, { latency: () => 100 })
    enter(fleet, 0)
    fleet.clock.pass(150)
    // The answer has come, and is read when the machine goes on.
    fleet.at(0).stop()
    fleet.clock.pass(7000)
    enter(fleet, 1)
    fleet.clock.pass(3000)
    assert.closeTo(shares(fleet)[1]!, 1, 0.01)
    fleet.at(0).resume()
    fleet.clock.pass(0)
    assert.isAtMost(shares(fleet)[0]!, 0.5)
    fleet.clock.pass(5000)
    assert.closeTo(total(fleet), 1, 0.01)
  })

  it("do not grow in the first time of a store that has forgotten, and are there behind it", () => {
    // Nobody hears that another needs a share.
    const fleet = Fleet.of(3, { isMissed: () => true })
    enter(fleet, 0)
    fleet.clock.pass(3300)
    fleet.store.database.flush()
    enter(fleet, 1)
    for (let time = 0; time < 50; time++) {
      fleet.clock.pass(100)
      assert.isAtMost(total(fleet), 1.000_01)
    }
    fleet.clock.pass(4000)
    for (const share of shares(fleet).slice(0, 2)) assert.closeTo(share, 0.5, 0.01)
  })

  it("are nearly all with the only machine that needs them, however many others there are", () => {
    const fleet = Fleet.of(20)
    for (let at = 0; at < 20; at++) enter(fleet, at)
    fleet.clock.pass(3000)
    for (let at = 1; at < 20; at++) fleet.at(at).demand(name, false)
    fleet.clock.pass(5000)
    assert.isAtLeast(shares(fleet)[0]!, 0.94)
    assert.closeTo(total(fleet), 1, 0.01)
  })
})
