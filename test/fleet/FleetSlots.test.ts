/**
 * Slots that machines lease from the store: on a clock that the test turns, with a store in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import { Fleet, type Machine, type Session } from "../support/fleet.ts"

const key = "user alice"

/** Tries to begin so many sessions, and returns those that began within a second. */
const begin = (fleet: Fleet, machine: Machine, count: number, limit: number): ReadonlyArray<Session> => {
  const begun: Array<Session> = []
  for (let index = 0; index < count; index++) {
    machine.begin(key, limit, (session) => session && begun.push(session), index % machine.members.length)
  }
  fleet.clock.pass(1000)
  return begun
}

describe("the slots of a fleet", () => {
  it("are as many as the limit in all, whichever machines have them", () => {
    const fleet = Fleet.of(3, { members: 2 })
    const counts = [0, 1, 2].map((index) => begin(fleet, fleet.at(index), 25, 50).length)
    assert.deepStrictEqual(counts, [25, 25, 0])
    assert.strictEqual(fleet.inUse(key), 50)
    const [first] = fleet.sessions
    first!.end()
    assert.lengthOf(begin(fleet, fleet.at(2), 2, 50), 1)
  })

  it("go to a machine that needs them from those that do not", () => {
    const fleet = Fleet.of(3)
    for (const session of begin(fleet, fleet.at(0), 50, 50)) session.end()
    // Within the second in which the first machine keeps them.
    assert.lengthOf(begin(fleet, fleet.at(1), 60, 50), 50)
  })

  it("cost the store nothing while the lease is not used up", () => {
    const fleet = Fleet.of(2)
    begin(fleet, fleet.at(0), 1, 1000)
    const before = fleet.store.counts.scripts
    let begun = 0
    for (let index = 0; index < 15; index++) fleet.at(0).begin(key, 1000, (session) => session && begun++)
    fleet.clock.pass(0)
    assert.strictEqual(begun, 15)
    assert.strictEqual(fleet.store.counts.scripts, before)
  })

  it("are all given back at the end of their use", () => {
    const fleet = Fleet.of(3, { members: 2 })
    for (const machine of fleet.machines) for (const session of begin(fleet, machine, 10, 50)) session.end()
    fleet.clock.pass(30_000)
    assert.deepStrictEqual(
      [...fleet.machines].map(({ slots }) => slots.size()),
      [0, 0, 0]
    )
    // The epochs and the table of machines.
    assert.strictEqual(fleet.store.database.size(), 18)
  })

  it("of a machine that is gone are free when its leases have ended", () => {
    const fleet = Fleet.of(2, { lease: 6000 })
    begin(fleet, fleet.at(0), 50, 50)
    fleet.at(0).kill()
    fleet.clock.pass(3000)
    assert.lengthOf(begin(fleet, fleet.at(0), 1, 50), 0)
    fleet.clock.pass(3000)
    assert.lengthOf(begin(fleet, fleet.at(0), 60, 50), 50)
  })

  it("follow a limit that has changed", () => {
    const fleet = Fleet.of(2)
    const sessions = begin(fleet, fleet.at(0), 40, 50)
    assert.lengthOf(begin(fleet, fleet.at(1), 20, 20), 0)
    for (const session of sessions.slice(0, 30)) session.end()
    fleet.clock.pass(5000)
    assert.lengthOf(begin(fleet, fleet.at(1), 20, 20), 10)
    assert.lengthOf(begin(fleet, fleet.at(0), 20, 60), 20)
    assert.lengthOf(begin(fleet, fleet.at(1), 60, 60), 20)
  })

  it("are refused within a moment, also while a machine does not answer", () => {
    const fleet = Fleet.of(3)
    begin(fleet, fleet.at(0), 25, 50)
    begin(fleet, fleet.at(1), 25, 50)
    fleet.at(0).stop()
    const { clock } = fleet
    const start = clock.now
    let waited = 0
    fleet.at(2).begin(key, 50, (session) => {
      assert.isUndefined(session)
      waited = clock.now - start
    })
    clock.pass(1000)
    assert.isAbove(waited, 0)
    assert.isAtMost(waited, 310)
    assert.strictEqual(fleet.inUse(key), 50)
  })
})

describe("a machine without a store", () => {
  const cut = (fault: "share" | "deny" | "keep") => {
    const fleet = Fleet.of(3, { fault, lease: 6000 })
    begin(fleet, fleet.at(0), 10, 30)
    fleet.store.stop()
    return fleet
  }

  it("goes on with what it has leased, until its leases end", () => {
    const fleet = cut("share")
    fleet.clock.pass(1500)
    const leased = fleet.at(0).slots.leased(key)
    assert.isAtLeast(leased, 10)
    assert.lengthOf(begin(fleet, fleet.at(0), 30, 30), leased - 10)
    assert.lengthOf(begin(fleet, fleet.at(1), 5, 30), 0)
  })

  it("has its share by the number of machines from then on", () => {
    const fleet = cut("share")
    fleet.clock.pass(6000)
    for (const [index, count] of [0, 10, 10].entries()) {
      assert.lengthOf(begin(fleet, fleet.at(index), 30, 30), count)
    }
    assert.strictEqual(fleet.inUse(key), 30)
    assert.lengthOf(begin(fleet, fleet.at(1), 5, 2), 0)
  })

  it("has at least one of each limit", () => {
    const fleet = Fleet.of(3)
    fleet.store.stop()
    fleet.clock.pass(6001)
    assert.lengthOf(begin(fleet, fleet.at(0), 5, 2), 1)
  })

  it("begins none, if that is the setting", () => {
    const fleet = cut("deny")
    fleet.clock.pass(6000)
    assert.deepStrictEqual(
      [0, 1, 2].map((index) => begin(fleet, fleet.at(index), 30, 30).length),
      [0, 0, 0]
    )
    // Those that were open go on.
    assert.strictEqual(fleet.inUse(key), 10)
    // And make no room for others when they end.
    for (const session of [...fleet.sessions].slice(0, 4)) session.end()
    assert.lengthOf(begin(fleet, fleet.at(0), 30, 30), 0)
    assert.strictEqual(fleet.inUse(key), 6)
  })

  it("keeps what it had leased, if that is the setting", () => {
    const fleet = Fleet.of(3, { fault: "keep" })
    const sessions = begin(fleet, fleet.at(0), 10, 30)
    fleet.store.stop()
    fleet.clock.pass(10_000)
    for (const session of sessions) session.end()
    const kept = begin(fleet, fleet.at(0), 30, 30).length
    assert.isAtLeast(kept, 10)
    assert.isAtMost(kept, 14)
    assert.lengthOf(begin(fleet, fleet.at(1), 30, 30), 0)
  })

  it("counts with the others again when the store is back", () => {
    const fleet = cut("share")
    fleet.clock.pass(7000)
    begin(fleet, fleet.at(1), 30, 30)
    fleet.store.start()
    fleet.clock.pass(8000)
    assert.strictEqual(fleet.inUse(key), 20)
    assert.lengthOf(begin(fleet, fleet.at(2), 30, 30), 10)
    for (const session of [...fleet.sessions].slice(0, 20)) session.end()
    assert.lengthOf(begin(fleet, fleet.at(0), 30, 30), 20)
  })
})

describe("a store that forgets", () => {
  it("leases nothing before each machine has told what it holds", () => {
    const fleet = Fleet.of(3, { lease: 6000 })
    begin(fleet, fleet.at(0), 30, 50)
    fleet.store.database.flush()
    assert.lengthOf(begin(fleet, fleet.at(1), 50, 50), 0)
    fleet.clock.pass(6000)
    assert.lengthOf(begin(fleet, fleet.at(1), 50, 50), 20)
  })

  it("is noticed by its run, also if it still has some", () => {
    const fleet = Fleet.of(2, { lease: 6000 })
    begin(fleet, fleet.at(0), 30, 50)
    fleet.store.stop()
    fleet.store.database.forget((name) => name.includes("slots") || name.includes("ends"))
    fleet.store.start()
    assert.lengthOf(begin(fleet, fleet.at(1), 50, 50), 0)
    fleet.clock.pass(6000)
    assert.lengthOf(begin(fleet, fleet.at(1), 50, 50), 20)
  })
})

describe("a machine that stood still", () => {
  it("begins nothing with leases that have ended", () => {
    for (const fault of ["share", "keep"] as const) {
      const fleet = Fleet.of(2, { fault, members: 2 })
      const machine = fleet.at(0)
      for (const session of begin(fleet, machine, 20, 30).slice(0, 15)) session.end()
      machine.stop()
      fleet.clock.pass(7000)
      assert.lengthOf(begin(fleet, fleet.at(1), 40, 30), 30)
      // Connections have come meanwhile, and come now.
      let begun = 0
      for (let index = 0; index < 20; index++) {
        machine.begin(key, 30, (session) => session && begun++, index % 2)
      }
      machine.resume()
      assert.lengthOf(begin(fleet, machine, 20, 30), 0)
      assert.strictEqual(begun, 0)
      fleet.clock.pass(5000)
      assert.strictEqual(machine.slots.leased(key), 5)
    }
  })
})
