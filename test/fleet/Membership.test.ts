import { assert, describe, it } from "@effect/vitest"
import { Fleet } from "../support/fleet.ts"

describe("the membership of a machine", () => {
  it("knows how many machines there are", () => {
    const fleet = Fleet.of(5)
    const counts = () => [...fleet.machines].map(({ membership }) => membership.machines)
    assert.deepStrictEqual(counts(), [5, 5, 5, 5, 5])
    fleet.at(0).kill()
    fleet.clock.pass(5000)
    // One that is gone counts for a while: to have seen too few would make shares too large.
    assert.deepStrictEqual(counts(), [5, 5, 5, 5])
    fleet.clock.pass(12_000)
    assert.deepStrictEqual(counts(), [4, 4, 4, 4])
    fleet.join()
    fleet.clock.pass(3000)
    assert.deepStrictEqual(counts(), [5, 5, 5, 5, 5])
  })

  it("does not believe a store that has forgotten the others", () => {
    const fleet = Fleet.of(5)
    fleet.store.database.flush()
    fleet.clock.pass(100)
    assert.strictEqual(fleet.at(0).membership.machines, 5)
  })

  it("notices a store that was emptied on an open connection, so that those who come later are not refused for it", () => {
    const fleet = Fleet.of(3)
    fleet.clock.pass(10_000)
    fleet.store.database.flush()
    fleet.clock.pass(10_000)
    // Of all buckets, also of those that nobody has used since.
    const waits: Array<number> = []
    let begun = 0
    for (let user = 0; user < 100; user++) {
      fleet.at(user % 3).token(`user ${user}`, 10, (wait) => waits.push(wait))
      fleet.at(user % 3).begin(`user ${user}`, 1, (session) => {
        if (session) begun++
      })
    }
    fleet.clock.pass(100)
    assert.deepStrictEqual(waits, new Array(100).fill(0))
    assert.strictEqual(begun, 100)
  })

  it("ends with its leases, and not before", () => {
    const fleet = Fleet.of(2, { lease: 6000 })
    const { membership, connection } = fleet.at(0)
    connection.freeze()
    fleet.clock.pass(3900)
    assert.isFalse(membership.isLost)
    fleet.clock.pass(2200)
    assert.isTrue(membership.isLost)
    // Which the log says: of a store that answers, and refuses, nothing else is logged.
    assert.isString(membership.failure)
    assert.isFalse(fleet.at(1).membership.isLost)
    connection.mend()
    fleet.clock.pass(2100)
    assert.isFalse(membership.isLost)
    assert.isUndefined(membership.failure)
  })

  it("takes the store's time for the only one", () => {
    const fleet = Fleet.of(2)
    const [one, other] = [fleet.at(0).membership, fleet.at(1).membership]
    fleet.clock.pass(500)
    assert.closeTo(one.storeTime()!, fleet.clock.now, 5)
    assert.closeTo(other.storeTime()!, one.storeTime()!, 5)
  })

  it("knows the store's time also where it stood still before it heard the answer", () => {
    const fleet = Fleet.of(2)
    const machine = fleet.at(0)
    fleet.clock.pass(500)
    machine.membership.beat()
    machine.stop()
    fleet.clock.pass(5000)
    machine.resume()
    assert.closeTo(machine.membership.storeTime()!, fleet.clock.now, 5)
  })
})
