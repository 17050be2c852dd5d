/**
 * What accounts have used, as workers know it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Usage from "../../src/limits/Usage.ts"
import * as UsageReplica from "../../src/limits/UsageReplica.ts"
import { received } from "../support/usage.ts"

describe("UsageReplica", () => {
  it("is the usage of the others, plus its own since the last report", () => {
    const now = Date.now()
    const sent: Array<UsageReplica.UsageReport> = []
    const used = UsageReplica.make((moved) => void sent.push(moved), { isRecorded: false })
    used.add("alice", received(100), now)
    used.add("alice", received(20), now)
    assert.strictEqual(used.of("alice", now).day, 120)
    used.sweep()
    used.sweep()
    assert.deepStrictEqual(sent, [{ _tag: "moved", accounts: [["alice", received(120), true]] }])

    const all = Usage.make()
    all.add("alice", received(1000), now)
    used.receive({ _tag: "used", ...all.snapshot(now) })
    assert.strictEqual(used.of("alice", now).month, 1000)
    // It was told what is older than what it knows.
    used.add("alice", received(1000), now)
    used.receive({ _tag: "used", ...all.snapshot(now) })
    assert.strictEqual(used.of("alice", now).month, 2000)
    used.receive({ _tag: "used", date: "2020-01-01", accounts: [{ name: "alice", day: 1e9, month: 1e9 }] })
    assert.strictEqual(used.of("alice", now).month, 2000)
  })

  it("is what several machines count together, where the seat says so, and what is not reported yet", () => {
    const now = Date.now()
    const used = UsageReplica.make(() => {}, { isRecorded: false })
    used.add("alice", received(1000), now)
    used.sweep()
    used.add("alice", received(5), now)
    const date = new Date(now).toISOString().slice(0, 10)
    const exact = { _tag: "used", date, isExact: true } as const
    used.receive({ ...exact, accounts: [{ name: "alice", day: 300, month: 900 }] })
    assert.deepStrictEqual(used.of("alice", now), { day: 305, month: 905 })
    used.receive({ ...exact, accounts: [], denies: true })
    assert.isAbove(used.of("bob", now).month, 1e15)
    used.receive({ ...exact, accounts: [], denies: false })
    assert.deepStrictEqual(used.of("alice", now), { day: 305, month: 905 })
  })

  it("reports usage without a quota, and does not keep it", () => {
    const now = Date.now()
    const sent: Array<UsageReplica.UsageReport> = []
    const used = UsageReplica.make((moved) => void sent.push(moved), { isRecorded: true })
    used.add("alice", { ...received(5), sessions: 1, duration: 20 }, now, false)
    used.add("alice", { ...received(5), duration: 30 }, now, false)
    assert.strictEqual(used.of("alice", now).day, 0)
    used.sweep()
    const alice = { ...received(10), sessions: 1, duration: 50 }
    assert.deepStrictEqual(sent, [{ _tag: "moved", accounts: [["alice", alice, false]] }])
  })
})
