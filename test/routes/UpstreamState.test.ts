/**
 * What several processes know of upstreams, together.
 */
import { assert, describe, it } from "@effect/vitest"
import * as UpstreamState from "../../src/routes/UpstreamState.ts"

const state = (
  member: string,
  more: Partial<UpstreamState.UpstreamState> = {}
): UpstreamState.UpstreamState => ({
  ...{ route: "pool", member, id: `socks5://${member}`, isUp: true, since: undefined },
  ...{ sessions: 1, failures: 2, error: undefined },
  ...more
})

const merged = (...parts: ReadonlyArray<ReadonlyArray<UpstreamState.UpstreamState>>) =>
  UpstreamState.merge(parts.map((upstreams, index) => ({ pid: 100 + index, upstreams })))

describe("an upstream", () => {
  it("is down while one of the workers leaves it alone, and its numbers are sums", () => {
    const down = { isUp: false, since: 5, error: "it refuses" }
    assert.deepStrictEqual(merged([state("a", { since: 9 }), state("b")], [state("a", down), state("b")]), [
      { ...state("a", down), sessions: 2, failures: 4, downIn: [101] },
      { ...state("b"), sessions: 2, failures: 4, downIn: [] }
    ])
  })

  it("is down since the first of the workers leaves it alone, and up since the last of them uses it", () => {
    const both = (isUp: boolean) =>
      merged([state("a", { isUp, since: 5 })], [state("a", { isUp, since: 7 })])[0]!
    assert.deepInclude(both(false), { since: 5, downIn: [100, 101] })
    assert.deepInclude(both(true), { since: 7, downIn: [] })
  })

  it("is one of so many, those that fail first", () => {
    const many = Array.from({ length: 2000 }, (_, index) => state(`${index}`, { isUp: index < 1500 }))
    const first = UpstreamState.first(many)
    assert.lengthOf(first, 1000)
    assert.lengthOf(
      first.filter(({ isUp }) => !isUp),
      500
    )
  })
})
