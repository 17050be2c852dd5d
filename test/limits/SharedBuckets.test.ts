/**
 * Buckets that several have, and what is left of them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as SharedBuckets from "../../src/limits/SharedBuckets.ts"

const world = () => {
  const clock = { now: 0 }
  return { clock, shared: SharedBuckets.make(() => clock.now) }
}

describe("SharedBuckets", () => {
  it("has one for each name, at the last given rate", () => {
    const { shared } = world()
    const one = shared.take("alice", 1000)
    assert.strictEqual(shared.take("alice", 2000), one)
    assert.strictEqual(one.rate, 2000)
    assert.notStrictEqual(shared.take("bob", 1000), one)
  })

  it("keeps the debt of a user who returns", () => {
    const { clock, shared } = world()
    const bucket = shared.take("alice", 1000)
    bucket.tokens = -5000
    shared.giveBack("alice")
    clock.now = 1000
    shared.take("bob", 1000)
    shared.giveBack("bob")
    assert.strictEqual(shared.take("alice", 1000), bucket)
    assert.closeTo(bucket.tokens, -4000, 1e-6)
  })

  it("forgets full and unused buckets, while others come and go", () => {
    const { clock, shared } = world()
    const used = shared.take("used", 1000)
    for (let i = 0; i < 1000; i++) {
      clock.now += 10
      shared.take(`${i}`, 1000).tokens = 0
      shared.giveBack(`${i}`)
      // A quarter of a second fills them.
      assert.isAtMost(shared.size(), 60)
    }
    clock.now += 1000
    for (let i = 0; i < 30; i++) {
      shared.take("last", 1000)
      shared.giveBack("last")
    }
    assert.strictEqual(shared.size(), 1)
    assert.strictEqual(shared.take("used", 1000), used)
  })

  it("of several processes have a share of the rate, and leave it when unused", () => {
    const clock = { now: 0 }
    const said: Array<string> = []
    let change = (_: number) => {}
    const shared = SharedBuckets.make(() => clock.now, {
      enter: (name, onChange) => {
        said.push(`enter ${name}`)
        change = onChange
      },
      demand: (_, isBusy) => said.push(isBusy ? "busy" : "idle"),
      leave: (name) => said.push(`leave ${name}`)
    })
    const bucket = shared.take("total", 1000)
    assert.deepStrictEqual([bucket.rate, bucket.whole, bucket.tokens], [0, 1000, 0])
    change(0.5)
    assert.strictEqual(bucket.rate, 500)
    shared.take("total", 2000)
    assert.strictEqual(bucket.rate, 1000)
    bucket.tokens = -1
    shared.report()
    shared.giveBack("total")
    shared.giveBack("total")
    shared.report()
    clock.now = 1000
    shared.report()
    assert.deepStrictEqual(said, ["enter total", "busy", "busy", "idle", "leave total"])
    assert.strictEqual(shared.size(), 0)
  })
})
