/**
 * How long who has to wait, what is forgiven, and that it all fits in a table.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as LoginThrottle from "../../src/bans/LoginThrottle.ts"
import { holds } from "../support/property.ts"

const second = 1000
const window = 600 * second

let guesses = 0

/** Another guess each time, unless one is given. */
const attempt = (now: number, network = "here", account = "user", guess = `guess ${++guesses}`) => ({
  ...{ network, wider: [], area: `area of ${network}`, account, guess, now, window }
})

/** Fails as soon as it is heard, this many times; the seconds waited before each. */
const waits = (
  failures: LoginThrottle.LoginThrottle,
  count: number,
  next: (n: number) => Partial<LoginThrottle.Attempt>
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

/** When each was heard. */
const sums = (waited: ReadonlyArray<number>): ReadonlyArray<number> => {
  let sum = 0
  return waited.map((seconds) => (sum += seconds))
}

describe("LoginThrottle", () => {
  it("delay a network longer and longer after the third guess at one name", () => {
    const waited = waits(LoginThrottle.make(), 12, () => ({}))
    assert.deepStrictEqual(waited, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60])
  })

  it("delay a network that tries other names as long in total, except for one guess ahead", () => {
    const plain = sums(waits(LoginThrottle.make(), 30, () => ({})))
    const waited = sums(waits(LoginThrottle.make(), 30, (n) => ({ account: `user ${n}` })))
    const mixed = sums(waits(LoginThrottle.make(), 30, (n) => ({ account: `user ${n % 3 === 0 ? n : 0}` })))
    for (const times of [waited, mixed]) {
      for (let n = 1; n < 30; n++) assert.isAtLeast(times[n]!, plain[n - 1]!)
    }
  })

  it("delay a name longer and longer after the tenth guess from one area", () => {
    const waited = waits(LoginThrottle.make(), 18, (n) => ({
      ...{ network: `network ${n}`, area: "area" }
    }))
    assert.deepStrictEqual(waited, [...Array(10).fill(0), 1, 2, 4, 8, 16, 32, 60, 60])
  })

  it("delay a name as long in total, except for one guess ahead, when each guess is from another area", () => {
    const plain = sums(waits(LoginThrottle.make(), 30, (n) => ({ network: `network ${n}`, area: "area" })))
    const times = sums(
      waits(LoginThrottle.make(), 30, (n) => ({ network: `network ${n}`, area: `area ${n}` }))
    )
    for (let n = 1; n < 30; n++) assert.isAtLeast(times[n]!, plain[n - 1]!)
  })

  it("delay no attempt longer because an earlier attempt came too soon", () => {
    const failures = LoginThrottle.make()
    for (let n = 1; n <= 3; n++) assert.deepStrictEqual(failures.failed(attempt(0)), [n])
    for (let n = 4; n <= 50; n++) {
      assert.isTrue(failures.isTooSoon(attempt(999)))
      assert.deepStrictEqual(failures.refused(attempt(999)), [n])
    }
    assert.isFalse(failures.isTooSoon(attempt(1000)))
  })

  it("are forgotten after a window without another failure, and not before", () => {
    const failures = LoginThrottle.make()
    for (let n = 1; n <= 9; n++) assert.deepStrictEqual(failures.failed(attempt(n * window)), [n])
    assert.lengthOf(failures.list(10 * window, window), 1)
    assert.lengthOf(failures.list(10 * window + 1, window), 0)
    assert.deepStrictEqual(failures.failed(attempt(10 * window + 1)), [1])
  })

  it("are taken back by a right login of the same name, and no other", () => {
    const failures = LoginThrottle.make()
    for (let n = 0; n < 3; n++) failures.failed(attempt(0, "here", "one"))
    failures.failed(attempt(0, "here", "other"))
    failures.succeeded(attempt(0, "here", "other"))
    assert.deepStrictEqual(
      failures.list(0, window).map(([, { count }]) => count),
      [3]
    )
    failures.succeeded(attempt(0, "here", "one"))
    assert.lengthOf(failures.list(0, window), 0)
    assert.isFalse(failures.isTooSoon(attempt(0)))
  })

  it("do not delay a user who has logged in from the network within a week", () => {
    const failures = LoginThrottle.make()
    failures.succeeded(attempt(0, "home"))
    for (let n = 0; n < 20; n++) failures.failed({ ...attempt(0, `network ${n}`), area: "area" })
    const there = (now: number, network: string) => ({ ...attempt(now, network), area: "area" })
    assert.isFalse(failures.isTooSoon(there(1, "home")))
    assert.isTrue(failures.isTooSoon(there(1, "hotel")))
    assert.isFalse(failures.isTooSoon({ ...there(1, "hotel"), account: "other" }))
    const later = 7 * 24 * 3600 * second
    for (let n = 0; n < 20; n++) failures.failed({ ...attempt(later, `network ${n}`), area: "area" })
    assert.isTrue(failures.isTooSoon(there(later, "home")))
  })

  it("delay a known user after failures of the same name, except with the password that was right", () => {
    const failures = LoginThrottle.make()
    failures.succeeded(attempt(0, "here", "user", "right"))
    for (let n = 0; n < 3; n++) failures.failed(attempt(0))
    assert.isTrue(failures.isTooSoon(attempt(0)))
    assert.isFalse(failures.isTooSoon(attempt(0, "here", "user", "right")))
    // It was changed: once it is wrong, it is a guess like others.
    assert.deepStrictEqual(failures.failed(attempt(0, "here", "user", "right")), [4])
    assert.isFalse(failures.wasRightBefore(attempt(0, "here", "user", "right")))
  })

  it("count once for the same password, after the first check", () => {
    const failures = LoginThrottle.make()
    const same = (now: number) => attempt(now, "here", "user", "same")
    for (let n = 0; n < 3; n++) failures.failed(attempt(0))
    assert.isTrue(failures.isTooSoon(same(0)))
    assert.deepStrictEqual(failures.refused(same(0)), [4])
    assert.deepStrictEqual(failures.refused(same(0)), [])
    // Not checked yet, so it has to wait as another would, and puts off the next one.
    assert.isTrue(failures.isTooSoon(same(999)))
    assert.deepStrictEqual(failures.failed(same(1000)), [4])
    assert.isTrue(failures.isTooSoon(attempt(2999)))
    assert.isFalse(failures.isTooSoon(same(1000)))
    assert.deepStrictEqual(failures.failed(same(1000)), [])
    assert.isFalse(failures.isTooSoon(attempt(3000)))
  })

  it("delay nobody for long when the clock is set back", () => {
    const failures = LoginThrottle.make()
    for (let n = 0; n < 3; n++) failures.failed(attempt(24 * 3600 * second))
    assert.isFalse(failures.isTooSoon(attempt(0)))
  })

  it("are bounded in number, and junk displaces junk", () => {
    const step = fc.tuple(fc.constantFrom("failed", "refused", "succeeded"), fc.nat(200), fc.nat(200))
    holds(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const limit = 16
        const failures = LoginThrottle.make(limit)
        for (let n = 0; n < 9; n++) failures.failed(attempt(0, "guesser", "victim"))
        for (const [what, network, account] of steps) {
          failures[what as "failed"](attempt(0, `${network}`, `${account}`))
          assert.isAtMost(failures.list(0, window).length, limit)
          assert.isAtMost(failures.entries().length, 2 * limit)
          assert.isAtMost(failures.known.entries().length, 16 * limit)
        }
        // Unless others failed as often.
        const others = failures.list(0, window).filter(([network]) => network !== "guesser")
        const most = Math.max(0, ...others.map(([, { count }]) => count))
        if (most < 9) assert.isTrue(failures.isTooSoon(attempt(0, "guesser", "victim")))
      })
    )
  })
})
