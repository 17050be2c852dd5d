/**
 * How long who has to wait, what is forgiven, and that it all fits in a table.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Failures from "../../src/policy/Failures.ts"

const second = 1000
const window = 600 * second

const attempt = (now: number, network = "here", name = 1): Failures.Attempt => ({
  network,
  name,
  now,
  window
})

/** Fails as soon as it is heard, this many times; the seconds waited before each. */
const waits = (
  failures: Failures.Failures,
  count: number,
  next: (n: number) => Partial<Failures.Attempt>
) => {
  let now = 0
  const waited: Array<number> = []
  for (let n = 0; n < count; n++) {
    const start = now
    while (failures.isTooSoon({ ...attempt(now), ...next(n) })) now += second
    failures.failed({ ...attempt(now), ...next(n) })
    waited.push((now - start) / second)
  }
  return waited
}

describe("Failures", () => {
  it("make a network wait longer and longer after the third, whatever names it tries", () => {
    const waited = waits(Failures.make(), 12, (n) => ({ name: n }))
    assert.deepStrictEqual(waited, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60])
  })

  it("make a name wait longer and longer after the tenth, wherever they come from", () => {
    const waited = waits(Failures.make(), 18, (n) => ({ network: `network ${n}` }))
    assert.deepStrictEqual(waited, [...Array(10).fill(0), 1, 2, 4, 8, 16, 32, 60, 60])
  })

  it("make nobody wait longer because he did not wait", () => {
    const failures = Failures.make()
    for (let n = 1; n <= 3; n++) assert.strictEqual(failures.failed(attempt(0)), n)
    for (let n = 4; n <= 50; n++) {
      assert.isTrue(failures.isTooSoon(attempt(999)))
      assert.strictEqual(failures.refused(attempt(999)), n)
    }
    assert.isFalse(failures.isTooSoon(attempt(1000)))
  })

  it("are forgotten when none follows for the window, and not before", () => {
    const failures = Failures.make()
    for (let n = 1; n <= 9; n++) assert.strictEqual(failures.failed(attempt(n * window)), n)
    assert.lengthOf(failures.list(10 * window, window), 1)
    assert.lengthOf(failures.list(10 * window + 1, window), 0)
    assert.strictEqual(failures.failed(attempt(10 * window + 1)), 1)
  })

  it("are forgiven by who proves to have made them, and nobody else", () => {
    const failures = Failures.make()
    for (let n = 0; n < 3; n++) failures.failed(attempt(0, "here", 1))
    failures.failed(attempt(0, "here", 2))
    failures.succeeded(attempt(0, "here", 2))
    assert.deepStrictEqual(
      failures.list(0, window).map(([, { count }]) => count),
      [3]
    )
    failures.succeeded(attempt(0, "here", 1))
    assert.lengthOf(failures.list(0, window), 0)
    assert.isFalse(failures.isTooSoon(attempt(0)))
  })

  it("of others do not keep a user out where he was let in within a week", () => {
    const failures = Failures.make()
    failures.succeeded(attempt(0, "home"))
    for (let n = 0; n < 20; n++) failures.failed(attempt(0, `network ${n}`))
    assert.isFalse(failures.isTooSoon(attempt(1, "home")))
    assert.isTrue(failures.isTooSoon(attempt(1, "hotel")))
    assert.isFalse(failures.isTooSoon(attempt(1, "hotel", 2)))
    const later = 7 * 24 * 3600 * second
    for (let n = 0; n < 20; n++) failures.failed(attempt(later, `network ${n}`))
    assert.isTrue(failures.isTooSoon(attempt(later, "home")))
  })

  it("keep a network waiting even where its user is known", () => {
    const failures = Failures.make()
    failures.succeeded(attempt(0))
    for (let n = 0; n < 3; n++) failures.failed(attempt(0))
    assert.isTrue(failures.isTooSoon(attempt(0)))
  })

  it("keep nobody waiting for long when the clock is set back", () => {
    const failures = Failures.make()
    for (let n = 0; n < 3; n++) failures.failed(attempt(24 * 3600 * second))
    assert.isFalse(failures.isTooSoon(attempt(0)))
  })

  it("are never held of more than twice the limit, nor forgotten while fewer others fail", () => {
    const step = fc.tuple(fc.constantFrom("failed", "refused", "succeeded"), fc.nat(200), fc.nat(200))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const limit = 10
        const failures = Failures.make(limit)
        let last: ReadonlyArray<string> = []
        for (const [what, network, name] of steps) {
          failures[what](attempt(0, `${network}`, name))
          if (what !== "succeeded") last = [`${network}`, ...last.filter((it) => it !== `${network}`)]
          const held = failures.list(0, window).map(([network]) => network)
          assert.isAtMost(held.length, 2 * limit)
          // Its own success may have forgiven one.
          if (steps.every(([what]) => what !== "succeeded")) assert.includeMembers(held, last.slice(0, limit))
        }
      })
    )
  })
})
