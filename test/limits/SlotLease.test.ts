/**
 * Slots that are leased: never more in use than the limit, wherever the messages
 * are; and nobody is refused while there is room.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as SlotAllocator from "../../src/limits/SlotAllocator.ts"
import * as SlotLease from "../../src/limits/SlotLease.ts"
import { holds } from "../support/property.ts"

/** A worker, and the messages on their way to it and from it. */
interface Worker {
  lessee: SlotLease.SlotLease
  sessions: number
  kept: Array<SlotLease.Slot>
  /** Who waits for an answer. */
  waiting: number
  toPrimary: Array<SlotAllocator.Claim>
  toWorker: Array<SlotAllocator.Ruling>
}

const world = (count: number) => {
  const lessor = SlotAllocator.make<Worker>((worker, ruling) => void worker.toWorker.push(ruling))
  const employ = (): Worker => {
    const toPrimary: Array<SlotAllocator.Claim> = []
    const lessee = SlotLease.make((claim) => void toPrimary.push(claim))
    return { lessee, sessions: 0, kept: [], waiting: 0, toPrimary, toWorker: [] }
  }
  const workers = Array.from({ length: count }, employ)
  let freed = 0
  let refused = 0

  const total = () => workers.reduce((sum, { sessions, kept }) => sum + sessions + kept.length, 0)
  /** Slots that are on their way to someone who waits. */
  const promised = () =>
    workers.reduce((sum, { toWorker, waiting }) => {
      const granted = toWorker.reduce(
        (count, ruling) => count + (ruling._tag === "grant" ? ruling.count : 0),
        0
      )
      return sum + Math.min(granted, waiting)
    }, 0)
  const enter = (worker: Worker) => {
    worker.sessions++
    worker.lessee.change("key", 1)
  }

  const begin = (worker: Worker, limit: number, isPrompt = true) => {
    if (worker.lessee.hasRoom("key", limit)) return enter(worker)
    const before = freed
    worker.waiting++
    worker.lessee.ask("key", limit, (slot) => {
      if (!workers.includes(worker)) return
      worker.waiting--
      if (slot === undefined) {
        refused++
        if (freed === before) assert.isAtLeast(total() + promised(), limit, "refused while there was room")
      } else if (isPrompt) {
        slot.release()
        enter(worker)
      } else worker.kept.push(slot)
    })
  }
  const use = (worker: Worker) => {
    const slot = worker.kept.shift()
    if (slot === undefined) return
    slot.release()
    enter(worker)
  }
  const end = (worker: Worker) => {
    if (worker.sessions === 0) return
    freed++
    worker.sessions--
    worker.lessee.change("key", -1)
  }
  const sweep = (worker: Worker) => {
    // Nobody waits that long between the two.
    while (worker.kept.length > 0) use(worker)
    worker.lessee.sweep()
  }
  const up = (worker: Worker) => {
    const claim = worker.toPrimary.shift()
    if (claim) lessor.receive(worker, claim)
  }
  const down = (worker: Worker) => {
    const ruling = worker.toWorker.shift()
    if (ruling) worker.lessee.receive(ruling)
  }
  const kill = (index: number) => {
    freed++
    const [gone] = workers.splice(index, 1, employ())
    lessor.remove(gone!)
  }
  const settle = () => {
    while (workers.some(({ toPrimary, toWorker }) => toPrimary.length + toWorker.length > 0)) {
      for (const worker of workers) {
        up(worker)
        down(worker)
      }
    }
  }
  return {
    workers,
    lessor,
    ...{ begin, use, end, sweep, up, down, kill, settle, total },
    refused: () => refused
  }
}

const action = fc.tuple(
  fc.constantFrom(
    "begin",
    "begin",
    "begin",
    "slowly",
    "use",
    "end",
    "sweep",
    "up",
    "up",
    "down",
    "down",
    "kill"
  ),
  fc.nat()
)

const run = (
  { workers, ...all }: ReturnType<typeof world>,
  actions: ReadonlyArray<readonly [string, number]>,
  limit: number,
  check: () => void
) => {
  for (const [what, number] of actions) {
    const index = number % workers.length
    const worker = workers[index]!
    if (what === "begin") all.begin(worker, limit)
    else if (what === "slowly") all.begin(worker, limit, false)
    else if (what === "use") all.use(worker)
    else if (what === "end") all.end(worker)
    else if (what === "sweep") all.sweep(worker)
    else if (what === "up") all.up(worker)
    else if (what === "down") all.down(worker)
    else if (number % 5 === 0) all.kill(index)
    check()
  }
}

describe("Leases", () => {
  it("never admit more than the limit, and refuse no session while there is room", () => {
    holds(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 12 }),
        fc.array(action, { maxLength: 300, size: "max" }),
        (count, limit, actions) => {
          const all = world(count)
          run(all, actions, limit, () => assert.isAtMost(all.total(), limit))
          all.settle()
          // Everybody has an answer, and those who come now are as many as there is room for.
          assert.isTrue(all.workers.every(({ toWorker }) => toWorker.length === 0))
          assert.isTrue(all.workers.every(({ waiting }) => waiting === 0))
          for (const worker of all.workers) while (worker.kept.length > 0) all.use(worker)
          for (let i = 0; i < limit + 1; i++) {
            const before = all.total()
            all.begin(all.workers[i % count]!, limit)
            all.settle()
            assert.strictEqual(all.total(), Math.min(before + 1, limit))
          }
        }
      ),
      { numRuns: 500 }
    )
  })

  it("refuse no session for slots that other workers no longer need", () => {
    const all = world(3)
    const [one, other, third] = all.workers as [Worker, Worker, Worker]
    const limit = 2
    for (const worker of [one, third]) {
      all.begin(worker, limit)
      all.settle()
    }
    // Both ask for one more, which each has room for itself before the answer comes.
    for (const worker of [one, third]) {
      all.begin(worker, limit)
      all.end(worker)
    }
    all.end(one)
    all.begin(other, limit)
    all.up(third)
    all.settle()
    assert.deepStrictEqual([all.refused(), other.sessions], [0, 1])
  })

  it("end with no slot, when all sessions have ended", () => {
    holds(
      fc.property(fc.array(action, { maxLength: 200, size: "max" }), (actions) => {
        const all = world(3)
        run(all, actions, 5, () => {})
        all.settle()
        for (const worker of all.workers) {
          while (worker.kept.length > 0) all.use(worker)
          while (worker.sessions > 0) all.end(worker)
        }
        for (let i = 0; i < 3; i++) {
          for (const worker of all.workers) all.sweep(worker)
          all.settle()
        }
        assert.strictEqual(all.lessor.size(), 0)
        assert.isTrue(all.workers.every(({ lessee }) => lessee.of("key") === 0))
      })
    )
  })

  it("count sessions from before the limit, which admit no other until they have ended", () => {
    const all = world(2)
    const [one, other] = all.workers as [Worker, Worker]
    for (let i = 0; i < 6; i++) {
      one.sessions++
      one.lessee.change("key", 1)
    }
    one.lessee.declare()
    all.settle()
    all.begin(other, 4)
    all.begin(one, 4)
    all.settle()
    assert.strictEqual(all.refused(), 2)
    all.end(one)
    all.end(one)
    all.settle()
    all.begin(other, 4)
    all.begin(one, 4)
    all.settle()
    assert.deepStrictEqual([all.refused(), all.total()], [4, 4])
    all.end(one)
    all.begin(other, 4)
    all.settle()
    assert.deepStrictEqual([all.refused(), other.sessions], [4, 1])
  })

  it("use a lower limit from the next request on", () => {
    const all = world(2)
    const [one, other] = all.workers as [Worker, Worker]
    for (let i = 0; i < 10; i++) {
      all.begin(i % 2 ? one : other, 80)
      all.settle()
    }
    all.begin(one, 10)
    all.settle()
    all.begin(other, 10)
    all.settle()
    assert.deepStrictEqual([all.refused(), all.total()], [2, 10])
    all.end(one)
    all.settle()
    all.begin(other, 9)
    all.settle()
    assert.deepStrictEqual([all.refused(), all.total()], [3, 9])
  })

  it("are requested once for many sessions", () => {
    const all = world(2)
    const [one] = all.workers as [Worker, Worker]
    all.begin(one, 80)
    all.settle()
    for (let i = 0; i < 9; i++) all.begin(one, 80)
    assert.deepStrictEqual([one.sessions, one.toPrimary.length], [10, 0])
  })
})

describe("Leases of a seat that leases itself", () => {
  it("are not used after their time, but given back and asked for again", () => {
    let now = 0
    const sent: Array<SlotAllocator.Claim> = []
    const lease = SlotLease.make(
      (claim) => void sent.push(claim),
      () => now
    )
    lease.ask("key", 10, (slot) => slot?.release())
    lease.receive({ _tag: "grant", key: "key", count: 3 })
    lease.holdUntil(1000)
    assert.isTrue(lease.hasRoom("key", 10))
    now = 1000
    assert.isFalse(lease.hasRoom("key", 10))
    let isAnswered = false
    lease.ask("key", 10, () => {
      isAnswered = true
    })
    assert.deepStrictEqual(sent.slice(1), [
      { _tag: "back", key: "key", count: 3 },
      { _tag: "ask", key: "key", limit: 10, over: 0 }
    ])
    assert.isFalse(isAnswered)
    lease.holdUntil(2000)
    lease.receive({ _tag: "grant", key: "key", count: 1 })
    assert.isTrue(isAnswered)
  })
})
