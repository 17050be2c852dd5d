/**
 * Shares of a limit: never more than the whole in use, wherever the messages are,
 * and all of it in use by those who need it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as RateAllocator from "../../src/limits/RateAllocator.ts"
import * as RateShare from "../../src/limits/RateShare.ts"
import { holds } from "../support/property.ts"

interface Worker {
  shared: RateShare.RateShare
  /** What it goes by; nothing if it does not use the limit. */
  share: number | undefined
  toPrimary: Array<RateAllocator.ShareRequest>
  toWorker: Array<RateAllocator.Share>
}

const world = (count: number) => {
  const sharer = RateAllocator.make<Worker>((worker, share) => void worker.toWorker.push(share))
  const employ = (): Worker => {
    const toPrimary: Array<RateAllocator.ShareRequest> = []
    return {
      shared: RateShare.make((need) => void toPrimary.push(need)),
      share: undefined,
      toPrimary,
      toWorker: []
    }
  }
  const workers = Array.from({ length: count }, employ)
  const up = (worker: Worker) => {
    const need = worker.toPrimary.shift()
    if (need) sharer.receive(worker, need)
  }
  const down = (worker: Worker) => {
    const share = worker.toWorker.shift()
    if (share) worker.shared.receive(share)
  }
  return {
    workers,
    up,
    down,
    enter: (worker: Worker) => {
      if (worker.share !== undefined) return
      worker.share = 0
      worker.shared.enter("total", (share) => {
        worker.share = share
      })
    },
    leave: (worker: Worker) => {
      if (worker.share === undefined) return
      worker.share = undefined
      worker.shared.leave("total")
    },
    kill: (index: number) => {
      const [gone] = workers.splice(index, 1, employ())
      sharer.remove(gone!)
    },
    settle: () => {
      while (workers.some(({ toPrimary, toWorker }) => toPrimary.length + toWorker.length > 0)) {
        for (const worker of workers) {
          up(worker)
          down(worker)
        }
      }
    },
    total: () => workers.reduce((sum, { share = 0 }) => sum + share, 0)
  }
}

const action = fc.tuple(
  fc.constantFrom("enter", "leave", "leave", "busy", "idle", "up", "up", "up", "down", "down", "kill"),
  fc.nat({ max: 59 })
)

describe("RateShares", () => {
  it("never come to more than the whole, and end as all of it", () => {
    holds(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(action, { maxLength: 200, size: "max" }),
        (count, actions) => {
          const all = world(count)
          for (const [what, number] of actions) {
            const worker = all.workers[number % count]!
            if (what === "enter") all.enter(worker)
            else if (what === "leave") all.leave(worker)
            else if (what === "busy") worker.shared.demand("total", true)
            else if (what === "idle") worker.shared.demand("total", false)
            else if (what === "up") all.up(worker)
            else if (what === "down") all.down(worker)
            else if (number % 7 === 0) all.kill(number % count)
            assert.isAtMost(all.total(), 1 + 1e-6)
          }
          all.settle()
          const users = all.workers.filter(({ share }) => share !== undefined)
          assert.closeTo(all.total(), users.length === 0 ? 0 : 1, 1e-6)
          assert.isTrue(users.every(({ share = 0 }) => share > 0))
        }
      ),
      { numRuns: 500 }
    )
  })

  it("depend on demand: half of two busy members, and nearly all for the only busy one", () => {
    const all = world(2)
    const [one, other] = all.workers as [Worker, Worker]
    all.enter(one)
    all.settle()
    assert.strictEqual(one.share, 1)
    all.enter(other)
    all.settle()
    assert.deepStrictEqual([one.share, other.share], [0.5, 0.5])
    other.shared.demand("total", false)
    all.settle()
    assert.closeTo(one.share ?? 0, 19 / 20, 1e-6)
    all.leave(other)
    all.settle()
    assert.closeTo(one.share ?? 0, 1, 1e-6)
  })

  it("are nearly all for the only busy one, however many others there are", () => {
    for (const idle of [1, 3, 40, 1000]) {
      const parts = RateAllocator.partsOf(1, idle)
      assert.isAtLeast(parts.busy, 0.95 - 1e-9)
      assert.closeTo(parts.busy + idle * parts.idle, 1, 1e-9)
    }
    assert.deepStrictEqual(RateAllocator.partsOf(4, 0).busy, 1 / 4)
    assert.deepStrictEqual(RateAllocator.partsOf(0, 4).idle, 1 / 4)
    // One of many has no more without need than with it.
    assert.isBelow(RateAllocator.partsOf(40, 1).idle, RateAllocator.partsOf(40, 1).busy)
  })
})
