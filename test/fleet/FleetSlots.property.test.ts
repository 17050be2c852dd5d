/**
 * Histories of a fleet by chance: machines that end, stand still, are cut off and come back, and a store that stops,
 * forgets and is replaced, while sessions begin and end everywhere.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { chance, Fleet, type Session } from "../support/fleet.ts"
import { holds } from "../support/property.ts"

const limits = { "user alice": 5, all: 60, "client 192.0.2.1": 20 } as const
type Key = keyof typeof limits
const keys = Object.keys(limits) as ReadonlyArray<Key>

/** Never more than the limit, but for the sessions of machines that have been without a store. */
const check = (fleet: Fleet) => {
  for (const machine of fleet.machines) {
    if (fleet.clock.now >= machine.membership.validUntil) fleet.uncount(machine)
  }
  for (const key of keys) assert.isAtMost(fleet.counted(key), limits[key], key)
}

const seeds = fc.integer({ min: 1, max: 1_000_000_000 })

describe("the slots of a fleet, whatever happens", () => {
  it("are never more than the limit in total, and are used again when all is well", () => {
    holds(
      fc.property(seeds, fc.constantFrom("share", "deny", "keep"), (seed, fault) => {
        const random = chance(seed)
        const pick = <A>(all: Iterable<A>): A => {
          const list = [...all]
          return list[Math.floor(random() * list.length)]!
        }
        let isCalm = false
        const fleet = Fleet.of(12, {
          fault,
          members: 2,
          latency: () => random() * (random() < 0.02 && !isCalm ? 400 : 5),
          // In another year, and faster than that of the machines by a hundredth.
          storeClock: (now) => 1.01 * now + 31_536_000_000
        })
        const { clock } = fleet
        const actions: ReadonlyArray<readonly [weight: number, act: () => void]> = [
          [
            60,
            () => {
              const key = pick(keys)
              const many = Math.ceil(random() * 6)
              const machine = pick(fleet.machines)
              for (let index = 0; index < many; index++) {
                machine.begin(key, limits[key], () => {}, index % machine.members.length)
              }
            }
          ],
          [50, () => fleet.sessions.size > 0 && pick(fleet.sessions).end()],
          [
            1,
            () => {
              pick(fleet.machines).kill()
              fleet.join()
            }
          ],
          [
            2,
            () => {
              const machine = pick(fleet.machines)
              machine.stop()
              clock.after(random() * 12_000, () => machine.resume())
            }
          ],
          [
            2,
            () => {
              const { connection } = pick(fleet.machines)
              if (random() < 0.5) connection.cut()
              else connection.freeze()
              clock.after(random() * 12_000, connection.mend)
            }
          ],
          [
            0.5,
            () => {
              fleet.store.stop()
              if (random() < 0.5) fleet.store.database.flush()
              else fleet.store.database.forget(() => random() < 0.5)
              clock.after(random() * 10_000, fleet.store.start)
            }
          ],
          [0.3, () => fleet.store.database.flush()]
        ]
        const weights = actions.reduce((sum, [weight]) => sum + weight, 0)
        for (let step = 0; step < 600; step++) {
          let left = random() * weights
          const found = actions.find(([weight]) => {
            left -= weight
            return left < 0
          })
          found?.[1]()
          clock.pass(random() * 120)
          check(fleet)
        }
        // When nothing happens any more, machines agree with the store, and all slots can be used.
        clock.pass(14_000)
        isCalm = true
        fleet.store.start()
        for (const { connection } of fleet.machines) connection.mend()
        for (const session of fleet.sessions) session.end()
        clock.pass(20_000)
        for (const key of keys) {
          let begun = 0
          const count = (session: Session | undefined) => session && begun++
          for (const machine of fleet.machines) {
            for (let index = 0; index < limits[key]; index++) machine.begin(key, limits[key], count)
          }
          clock.pass(5000)
          assert.strictEqual(begun, limits[key], key)
          assert.strictEqual(fleet.counted(key), limits[key], key)
        }
      }),
      { numRuns: 5 }
    )
  })

  it("let each machine that asks again have a turn", () => {
    holds(
      fc.property(seeds, (seed) => {
        const random = chance(seed)
        const fleet = Fleet.of(24, { latency: () => random() * 3 })
        const begun = new Map<string, number>()
        // Each machine tries again at once, and has a session for a short time.
        for (const machine of fleet.machines) {
          const again = () =>
            machine.begin("all", 4, (session) => {
              if (session) {
                begun.set(machine.id, (begun.get(machine.id) ?? 0) + 1)
                fleet.clock.after(50 + random() * 100, session.end)
              }
              fleet.clock.after(200 + random() * 100, again)
            })
          again()
        }
        for (let second = 0; second < 30; second++) {
          fleet.clock.pass(1000)
          assert.isAtMost(fleet.inUse("all"), 4)
        }
        const counts = [...fleet.machines].map(({ id }) => begun.get(id) ?? 0)
        assert.isAbove(Math.min(...counts), 2, counts.join(" "))
      }),
      { numRuns: 2 }
    )
  })
})
