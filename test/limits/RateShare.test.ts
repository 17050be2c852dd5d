import { assert, describe, it } from "@effect/vitest"
import type { ShareRequest } from "../../src/limits/RateAllocator.ts"
import * as RateShare from "../../src/limits/RateShare.ts"

const made = () => {
  const sent: Array<ShareRequest> = []
  return { sent, shares: RateShare.make((need) => sent.push(need)) }
}

describe("a worker's share of a rate", () => {
  it("is the last one granted, and is confirmed", () => {
    const { sent, shares } = made()
    const got: Array<number> = []
    shares.enter("total", (share) => got.push(share))
    assert.deepStrictEqual(sent, [{ _tag: "enter", name: "total", id: 1 }])
    shares.receive({ name: "total", id: 1, turn: 4, share: 0.5 } as never)
    assert.deepStrictEqual(got, [0.5])
    assert.deepStrictEqual(sent.at(-1), { _tag: "kept", name: "total", turn: 4 })
  })

  it("is not that of a limit that was left, or entered again since", () => {
    const { sent, shares } = made()
    const got: Array<string> = []
    shares.enter("total", () => got.push("first"))
    shares.leave("total")
    shares.receive({ name: "total", id: 1, turn: 1, share: 1 } as never)
    shares.enter("total", () => got.push("second"))
    shares.receive({ name: "total", id: 1, turn: 2, share: 1 } as never)
    assert.deepStrictEqual(got, [])
    assert.deepStrictEqual(
      sent.map(({ _tag }) => _tag),
      ["enter", "leave", "enter"]
    )
    shares.receive({ name: "total", id: 2, turn: 3, share: 1 } as never)
    assert.deepStrictEqual(got, ["second"])
  })

  it("is requested once when the demand changes, busy at first", () => {
    const { sent, shares } = made()
    shares.enter("total", () => {})
    for (const isBusy of [true, false, false, true]) shares.demand("total", isBusy)
    shares.demand("another", true)
    assert.deepStrictEqual(sent.slice(1), [
      { _tag: "demand", name: "total", isBusy: false },
      { _tag: "demand", name: "total", isBusy: true }
    ])
  })
})
