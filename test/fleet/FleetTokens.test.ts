import { assert, describe, it } from "@effect/vitest"
import { Fleet, type Options } from "../support/fleet.ts"

/** Asks each machine for so many tokens a second, evenly, for so long. Returns how many came, by second. */
const ask = (fleet: Fleet, limit: number, perMachine: number, seconds: number): ReadonlyArray<number> => {
  const granted: Array<number> = []
  for (let second = 0; second < seconds; second++) {
    let count = 0
    for (let step = 0; step < perMachine; step++) {
      for (const machine of fleet.machines) {
        machine.token("user alice", limit, (wait) => {
          if (wait === 0) count++
        })
      }
      fleet.clock.pass(1000 / perMachine)
    }
    granted.push(count)
  }
  return granted
}

const sum = (all: ReadonlyArray<number>) => all.reduce((total, one) => total + one, 0)

describe("the tokens of a fleet", () => {
  it("are as many as the rate allows in all", () => {
    const fleet = Fleet.of(3)
    const granted = ask(fleet, 50, 100, 10)
    // A burst of a second's, and ten seconds.
    assert.isAtMost(sum(granted), 550)
    assert.isAtLeast(sum(granted), 520)
    for (const count of granted.slice(2)) assert.isAtMost(count, 50 + 50 * 0.25)
  })

  it("are there for one machine alone", () => {
    const fleet = Fleet.of(3)
    const only = fleet.at(0)
    let granted = 0
    for (let step = 0; step < 1000; step++) {
      only.token("user alice", 50, (wait) => {
        if (wait === 0) granted++
      })
      fleet.clock.pass(10)
    }
    assert.isAtMost(granted, 550)
    assert.isAtLeast(granted, 520)
  })

  it("take few calls of the store", () => {
    const fleet = Fleet.of(2)
    ask(fleet, 2000, 500, 3)
    const before = fleet.store.counts.scripts
    const granted = ask(fleet, 2000, 500, 4)
    assert.deepStrictEqual(granted, [1000, 1000, 1000, 1000])
    assert.isAtMost(fleet.store.counts.scripts - before, 2 * 4 * 15)
  })

  it("take no call where there is none, however often they are asked for", () => {
    const fleet = Fleet.of(2)
    ask(fleet, 5, 500, 2)
    const before = fleet.store.counts.scripts
    const granted = ask(fleet, 5, 500, 4)
    assert.closeTo(sum(granted), 4 * 5, 2)
    // One for each token, or two where both machines are there at its time, and what machines say anyway.
    assert.isAtMost(fleet.store.counts.scripts - before, 2 * 4 * 5 + 2 * 4 * 3)
    // A limit that is raised holds at once.
    const waits: Array<number> = []
    for (let count = 0; count < 3; count++) fleet.at(0).token("user alice", 5, () => {})
    fleet.at(0).token("user alice", 500, (wait) => waits.push(wait))
    fleet.clock.pass(10)
    assert.deepStrictEqual(waits, [0])
  })

  it("say how long there is to wait", () => {
    const fleet = Fleet.of(2)
    const waits: Array<number> = []
    for (let index = 0; index < 3; index++) {
      fleet.at(0).token("user alice", 2, (wait) => waits.push(wait))
      fleet.clock.pass(10)
    }
    assert.deepStrictEqual(waits.slice(0, 2), [0, 0])
    assert.closeTo(waits[2]!, 480, 20)
    assert.strictEqual(fleet.at(0).tokens.size(), 1)
    fleet.clock.pass(5000)
    assert.strictEqual(fleet.at(0).tokens.size(), 0)
  })

  it("are not there anew when the store has forgotten", () => {
    const fleet = Fleet.of(1)
    ask(fleet, 50, 200, 3)
    fleet.store.database.flush()
    const [next] = ask(fleet, 50, 200, 1)
    assert.isAtMost(next!, 60)
  })

  it("are not there anew when an older copy of the store takes over", () => {
    const fleet = Fleet.of(1)
    fleet.at(0).token("user alice", 50, () => {})
    fleet.clock.pass(10)
    const copy = fleet.store.database.copy()
    ask(fleet, 50, 200, 1)
    fleet.store.stop()
    fleet.store.database.restore(copy)
    fleet.store.start()
    fleet.clock.pass(50)
    const [next] = ask(fleet, 50, 200, 1)
    assert.isAtMost(next!, 60)
  })

  it("that are not used in their time are lost, and do not add to the rate", () => {
    const fleet = Fleet.of(5)
    let granted = 0
    // Each machine needs many for a while, and then none.
    for (let second = 0; second < 20; second++) {
      for (let step = 0; step < 50; step++) {
        for (const [place, machine] of [...fleet.machines].entries()) {
          if (place !== second % 5) continue
          machine.token("user alice", 40, (wait) => {
            if (wait === 0) granted++
          })
        }
        fleet.clock.pass(20)
      }
    }
    // A second of it at once, and what was leased in 400 milliseconds before.
    assert.isAtMost(granted, 40 * (20 + 1 + 0.4))
    assert.isAtLeast(granted, 40 * 20 * 0.9)
  })

  /** The answers to one more request so long after a machine that has leased tokens ahead can lease no others. */
  const answersAfter = (rest: number) => {
    const fleet = Fleet.of(1, { lease: 20_000 })
    ask(fleet, 50, 20, 2)
    fleet.at(0).connection.freeze()
    fleet.clock.pass(rest)
    const waits: Array<number> = []
    fleet.at(0).token("user alice", 50, (wait) => waits.push(wait))
    fleet.clock.pass(20)
    return waits
  }

  it("are kept for 400 milliseconds", () => {
    assert.deepStrictEqual(answersAfter(100), [0])
    assert.deepStrictEqual(answersAfter(400), [])
  })

  it("that come to a machine that has stood still meanwhile are not used", () => {
    const fleet = Fleet.of(1, { lease: 20_000 })
    const waits: Array<number> = []
    fleet.at(0).token("user alice", 50, (wait) => waits.push(wait))
    fleet.at(0).stop()
    fleet.clock.pass(1500)
    fleet.at(0).resume()
    fleet.clock.pass(10)
    assert.lengthOf(waits, 1)
    assert.isAbove(waits[0]!, 0)
  })

  it("that were granted count as the machine's own where it loses the store", () => {
    const fleet = Fleet.of(5, { lease: 20_000 })
    const waits: Array<number> = []
    const take = (count: number) => {
      for (let taken = 0; taken < count; taken++)
        fleet.at(0).token("user alice", 50, (wait) => waits.push(wait))
      fleet.clock.pass(10)
    }
    take(12)
    fleet.at(0).connection.cut()
    take(1)
    assert.deepStrictEqual(
      waits.map((wait) => wait === 0),
      [...Array.from({ length: 12 }, () => true), false]
    )
  })

  /** What is granted in each second when the store has not answered for a second, and slots are leased still. */
  const cutOff = (options: Options, cut: "cut" | "freeze") => {
    const fleet = Fleet.of(5, { lease: 20_000, ...options })
    ask(fleet, 50, 20, 3)
    for (const { connection } of fleet.machines) connection[cut]()
    ask(fleet, 50, 20, 2)
    const granted = ask(fleet, 50, 20, 2)
    for (const { membership } of fleet.machines) assert.isFalse(membership.isLost)
    return { fleet, granted }
  }

  for (const cut of ["cut", "freeze"] as const) {
    const connection = cut === "cut" ? "without a connection" : "without an answer"

    it(`are each machine's share a second later, ${connection}`, () => {
      assert.deepStrictEqual(cutOff({ fault: "share" }, cut).granted, [50, 50])
    })

    it(`are none a second later, if that is the setting, ${connection}`, () => {
      assert.deepStrictEqual(cutOff({ fault: "deny" }, cut).granted, [0, 0])
    })

    it(`are as many as before a second later, if that is the setting, ${connection}`, () => {
      for (const count of cutOff({ fault: "keep" }, cut).granted) assert.closeTo(count, 50, 10)
    })

    it(`are those of the store again as soon as that answers, ${connection}`, () => {
      const { fleet } = cutOff({ fault: "share" }, cut)
      for (const { connection } of fleet.machines) connection.mend()
      ask(fleet, 50, 20, 1)
      // One machine alone has more than its share.
      let granted = 0
      for (let step = 0; step < 100; step++) {
        fleet.at(0).token("user alice", 50, (wait) => {
          if (wait === 0) granted++
        })
        fleet.clock.pass(20)
      }
      assert.isAtLeast(granted, 80)
    })
  }

  it("of those that wait for an answer are decided when there is none", () => {
    const fleet = Fleet.of(5)
    fleet.at(0).connection.freeze()
    const waits: Array<number> = []
    for (let count = 0; count < 20; count++) fleet.at(0).token("user alice", 50, (wait) => waits.push(wait))
    fleet.clock.pass(990)
    assert.lengthOf(waits, 0)
    fleet.clock.pass(20)
    assert.lengthOf(
      waits.filter((wait) => wait === 0),
      10
    )
    assert.lengthOf(waits, 20)
  })

  it("are the rate and the shares of those without a store in a partition, in all", () => {
    const fleet = Fleet.of(5)
    ask(fleet, 50, 50, 3)
    for (const index of [0, 1]) fleet.at(index).connection.freeze()
    const seconds = 20
    const granted = sum(ask(fleet, 50, 50, seconds))
    // A second of it at once, and what was leased before.
    assert.isAtMost(granted, (50 + 2 * 10) * (seconds + 1) + 50 * 0.4)
    assert.isAtLeast(granted, (50 + 2 * 10) * (seconds - 2) * 0.9)
  })

  const lost = (options: Options) => {
    const fleet = Fleet.of(5, options)
    ask(fleet, 50, 20, 3)
    fleet.store.stop()
    fleet.clock.pass(7000)
    ask(fleet, 50, 20, 1)
    return ask(fleet, 50, 20, 3)
  }

  it("are each machine's share without a store", () => {
    assert.deepStrictEqual(lost({ fault: "share" }), [50, 50, 50])
  })

  it("are none without a store, if that is the setting", () => {
    assert.deepStrictEqual(lost({ fault: "deny" }), [0, 0, 0])
  })

  it("are as many as a machine had last without a store, if that is the setting", () => {
    for (const count of lost({ fault: "keep" })) assert.closeTo(count, 50, 10)
  })

  it("are none of a limit that a machine did not use, where it keeps what it had", () => {
    const fleet = Fleet.of(2, { fault: "keep" })
    fleet.store.stop()
    assert.deepStrictEqual(ask(fleet, 50, 20, 2), [0, 0])
    assert.strictEqual(fleet.at(0).tokens.size(), 1)
    fleet.clock.pass(4000)
    assert.strictEqual(fleet.at(0).tokens.size(), 0)
  })
})
