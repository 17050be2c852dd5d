/**
 * Slots that machines lease from the store: on a clock that the test turns, with a store in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Keys from "../../src/fleet/Keys.ts"
import { SlotTable } from "../../src/fleet/scripts/SlotTable.ts"
import { Fleet, type Machine, type Session } from "../support/fleet.ts"

const key = "user alice"
const lease = 6000

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

  it("cost the store little where there is none, however often they are asked for", () => {
    const fleet = Fleet.of(2)
    assert.lengthOf(begin(fleet, fleet.at(0), 5, 5), 5)
    const before = fleet.store.counts.scripts
    let refused = 0
    for (let count = 0; count < 1000; count++) {
      fleet.at(1).begin(key, 5, (session) => session === undefined && refused++)
      fleet.clock.pass(1)
    }
    assert.isAtLeast(refused, 900)
    assert.isAtMost(fleet.store.counts.scripts - before, 2 * 40 + 20)
    // A slot that is free again is found within the time of a refusal.
    const [first] = fleet.sessions
    first!.end()
    fleet.clock.pass(130)
    assert.lengthOf(begin(fleet, fleet.at(1), 1, 5), 1)
  })

  it("are all given back at the end of their use", () => {
    const fleet = Fleet.of(3, { members: 2 })
    for (const machine of fleet.machines) for (const session of begin(fleet, machine, 10, 50)) session.end()
    fleet.clock.pass(30_000)
    assert.deepStrictEqual(
      [...fleet.machines].map(({ slots }) => slots.size()),
      [0, 0, 0]
    )
    fleet.clock.pass(120_000)
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

/** The calls of a script by all machines from now on: its arguments. */
const callsOf = (fleet: Fleet, name: string) => {
  const calls: Array<ReadonlyArray<string | number>> = []
  for (const { membership } of fleet.machines) {
    const { store } = membership
    const { call } = store
    const seen: typeof call = (script, keys, args, answer) => {
      if (script.name === name) calls.push(args)
      call(script, keys, args, answer)
    }
    Object.assign(store, { call: seen })
  }
  return calls
}

/** Something happens at the store each time before it runs a script of this machine. */
const beforeScript = ({ membership }: Machine, name: string, act: () => void) => {
  const { store } = membership
  const { call } = store
  const acting: typeof call = (script, keys, args, answer) => {
    const run: typeof script.run = (...all) => {
      if (script.name === name) act()
      return script.run(...all)
    }
    call({ ...script, run }, keys, args, answer)
  }
  Object.assign(store, { call: acting })
}

/** How many slots the store has for all machines. */
const inStore = (fleet: Fleet, limit: string) => {
  const base = fleet.at(0).membership.keys.ofBucket("slots", Keys.bucketOf(limit))
  return Number(fleet.store.database.hget(`${base}:of:${limit}`, "#total") ?? 0)
}

describe("the lease of a machine", () => {
  it("is renewed by one call for all limits of a bucket, of which one bucket's are told each time", () => {
    const fleet = Fleet.of(1)
    for (let user = 0; user < 400; user++) fleet.at(0).begin(`user ${user}`, 3)
    fleet.clock.pass(20_000)
    const [renewals, puts] = [callsOf(fleet, "renew-slots"), callsOf(fleet, "put-slots")]
    fleet.clock.pass(32_000)
    assert.lengthOf(renewals, 16 * Keys.buckets)
    const told = puts.flatMap((args) => args.slice(6).filter((_, index) => index % 4 === 0))
    assert.lengthOf(told, 400)
    assert.lengthOf(new Set(told), 400)
  })

  it("ends as a whole when the machine is gone, also of very many limits", () => {
    const fleet = Fleet.of(2)
    // As many of one bucket as are not taken back at once.
    const names = Array.from({ length: 20_000 }, (_, index) => `client ${index}`).filter(
      (name) => Keys.bucketOf(name) === 3
    )
    assert.isAbove(names.length, 1000)
    for (const name of names) fleet.at(0).begin(name, 3)
    fleet.clock.pass(5000)
    const sum = () => names.reduce((total, name) => total + inStore(fleet, name), 0)
    assert.strictEqual(sum(), names.length)
    fleet.at(0).kill()
    // One that has no slot of these limits, and one of the same bucket.
    fleet.at(0).begin(names[0]!, 3)
    fleet.clock.pass(lease)
    for (let asked = 0; asked < 3; asked++) fleet.at(0).begin(names[7]!, 3)
    fleet.clock.pass(300)
    assert.strictEqual(fleet.inUse(names[7]!), 3)
    fleet.clock.pass(200_000)
    assert.strictEqual(sum(), 4)
  })

  it("begins anew where the store had ended it, and the store is told all", () => {
    let leap = 0
    const fleet = Fleet.of(1, { storeClock: (now) => now + leap })
    begin(fleet, fleet.at(0), 20, 30)
    const { database } = fleet.store
    const base = fleet.at(0).membership.keys.ofBucket("slots", Keys.bucketOf(key))
    leap = 10_000
    // As if another machine had asked for slots.
    new SlotTable(database, base, "other", lease).reclaim(key)
    assert.strictEqual(inStore(fleet, key), 0)
    fleet.clock.pass(2100)
    assert.strictEqual(inStore(fleet, key), fleet.at(0).slots.leased(key))
  })

  it("heals what the store has wrong of single limits", () => {
    const fleet = Fleet.of(1)
    begin(fleet, fleet.at(0), 20, 30)
    const { membership, slots } = fleet.at(0)
    const { database } = fleet.store
    const base = membership.keys.ofBucket("slots", Keys.bucketOf(key))
    database.del(`${base}:of:${key}`)
    const table = new SlotTable(database, base, membership.id, lease)
    const other = Array.from({ length: 200 }, (_, index) => `user ${index}`).find(
      (name) => Keys.bucketOf(name) === Keys.bucketOf(key)
    )!
    table.put(other, 7)
    fleet.clock.pass(34_000)
    assert.strictEqual(inStore(fleet, key), slots.leased(key))
    assert.strictEqual(inStore(fleet, other), 0)
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

describe("a machine that comes back", () => {
  it("uses no slot again while more is leased than there is", () => {
    const fleet = Fleet.of(2, { lease: 6000 })
    const [alone, other] = [fleet.at(0), fleet.at(1)]
    alone.connection.cut()
    fleet.clock.pass(7000)
    assert.lengthOf(begin(fleet, other, 10, 10), 10)
    const sessions = begin(fleet, alone, 10, 10)
    assert.lengthOf(sessions, 5)
    alone.connection.mend()
    fleet.clock.pass(100)
    assert.isFalse(alone.membership.isLost)
    for (const session of sessions.slice(0, 3)) session.end()
    assert.lengthOf(begin(fleet, alone, 5, 10), 0)
    assert.strictEqual(inStore(fleet, key), 12)
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

  it("is noticed by a machine that comes back to it, which uses no slot again that it had without it", () => {
    const fleet = Fleet.of(2, { lease: 6000, fault: "keep" })
    const sessions = begin(fleet, fleet.at(0), 5, 5)
    const renewals = callsOf(fleet, "renew-slots")
    fleet.at(0).connection.freeze()
    fleet.clock.pass(8000)
    // There is a connection while a renewal waits for its reply, and the next one comes when the store was emptied.
    for (const { length } = renewals; renewals.length === length; ) fleet.clock.pass(10)
    fleet.at(0).connection.mend()
    fleet.clock.pass(100)
    fleet.store.database.flush()
    fleet.clock.pass(2100)
    assert.isFalse(fleet.at(0).membership.isLost)
    for (const session of sessions.slice(0, 3)) session.end()
    assert.lengthOf(begin(fleet, fleet.at(0), 5, 5), 0)
    fleet.clock.pass(6000)
    assert.lengthOf(begin(fleet, fleet.at(1), 5, 5), 3)
  })

  it("is noticed by a machine that comes back, also between the renewal and what the machine tells of its slots", () => {
    const fleet = Fleet.of(2, { lease: 6000, fault: "keep" })
    const [alone, other] = [fleet.at(0), fleet.at(1)]
    const sessions = begin(fleet, alone, 5, 5)
    alone.connection.cut()
    fleet.clock.pass(8000)
    assert.lengthOf(begin(fleet, other, 4, 5), 4)
    let isEmptied = false
    beforeScript(alone, "put-slots", () => {
      if (!isEmptied) fleet.store.database.flush()
      isEmptied = true
    })
    alone.connection.mend()
    fleet.clock.pass(100)
    assert.isTrue(isEmptied)
    assert.isFalse(alone.membership.isLost)
    // The store does not know yet what the other machine has.
    for (const session of sessions.slice(0, 4)) session.end()
    assert.lengthOf(begin(fleet, alone, 5, 5), 0)
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
