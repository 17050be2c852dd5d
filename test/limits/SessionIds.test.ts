/**
 * Numbers of sessions.
 */
import { assert, describe, it } from "@effect/vitest"
import * as SessionIds from "../../src/limits/SessionIds.ts"

describe("SessionIds", () => {
  it("are all different, in blocks that are requested in time", () => {
    const blocks = SessionIds.blocks()
    let asked = 0
    const all = new Set<number>()
    const workers = [0, 1].map(() => {
      const ids: SessionIds.SessionIds = SessionIds.make(blocks(), () => {
        asked++
        ids.add(blocks())
      })
      return ids
    })
    for (let i = 0; i < 35_000; i++) for (const ids of workers) all.add(ids.next())
    assert.strictEqual(all.size, 70_000)
    assert.strictEqual(asked, 6)
    assert.strictEqual(Math.min(...all), 1)
  })

  it("are different also without an answer", () => {
    const blocks = SessionIds.blocks()
    const [one, other] = [SessionIds.make(blocks(), () => {}), SessionIds.make(blocks(), () => {})]
    const all = new Set<number>()
    for (let i = 0; i < 15_000; i++) all.add(one.next())
    for (let i = 0; i < 10_000; i++) all.add(other.next())
    assert.strictEqual(all.size, 25_000)
    assert.isTrue(Number.isSafeInteger(Math.max(...all)))
  })
})
