/**
 * Health checks that another server makes: who checks, what is heard, and for how long it holds.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as CheckSharing from "../../src/routes/CheckSharing.ts"
import { type Fault, layerServer } from "../../src/testing/index.ts"
import { names, play, pool, times } from "../support/pools.ts"
import { settled } from "../support/streams.ts"

const failure = { outcome: "ConnectionRefused", reason: "the upstream refuses" }

/** A server among several, on a clock that the test sets. */
const member = () => {
  let now = 0
  const told: Array<CheckSharing.CheckResult> = []
  const checks = CheckSharing.make({
    nameOf: (description) => description,
    report: ({ results }) => void told.push(...results),
    now: () => now
  })
  return {
    ...checks,
    told,
    pass: (milliseconds: number) => {
      now += milliseconds
    }
  }
}

describe("checks of several servers", () => {
  it("are due where nobody was heard for three times of a check", () => {
    const { isDue, receive, pass, latest } = member()
    assert.isTrue(isDue("a", 1000))
    receive({ _tag: "checked", results: [{ check: "a", failure }] })
    assert.isFalse(isDue("a", 1000))
    assert.isTrue(isDue("b", 1000))
    pass(2999)
    assert.isFalse(isDue("a", 1000))
    assert.deepStrictEqual(latest("a", 1000), { check: "a", failure })
    pass(1)
    assert.isTrue(isDue("a", 1000))
    assert.isUndefined(latest("a", 1000))
    // What was found some time ago does not hold as long.
    receive({ _tag: "checked", results: [{ check: "a", age: 2000 }] })
    pass(999)
    assert.isFalse(isDue("a", 1000))
    pass(1)
    assert.isTrue(isDue("a", 1000))
  })

  it("are all due on the server that checks for all, which alone tells", () => {
    const { isDue, receive, tell, told } = member()
    tell({ check: "a" })
    receive({ _tag: "checked", results: [{ check: "a" }] })
    receive({ _tag: "checker", isChecker: true })
    assert.isTrue(isDue("a", 1000))
    tell({ check: "a", failure })
    assert.deepStrictEqual(told, [{ check: "a", failure }])
    receive({ _tag: "checker", isChecker: false })
    tell({ check: "a" })
    assert.isFalse(isDue("a", 1000))
    assert.lengthOf(told, 1)
  })

  it("are followed until they no longer are", () => {
    const { receive, follow } = member()
    const heard: Array<unknown> = []
    const stop = follow("a", ({ failure }) => heard.push(failure?.outcome))
    receive({ _tag: "checked", results: [{ check: "b" }, { check: "a" }, { check: "a", failure }] })
    stop()
    receive({ _tag: "checked", results: [{ check: "a" }] })
    assert.deepStrictEqual(heard, [undefined, "ConnectionRefused"])
  })
})

describe("a route whose members another server checks", () => {
  const described = new Set<string>()
  const nameOf = (name: string) => {
    described.add(name)
    return name
  }
  const sharing = CheckSharing.make({ nameOf, report: () => {}, now: () => 0 })

  it.effect("is as if it had checked them itself, but for what fails from here", () =>
    Effect.gen(function* () {
      const checked: Array<string> = []
      const plays = (name: (typeof names)[number], fault?: Fault) =>
        play(name, {
          onRequest: (target) => target === "203.0.113.99:443" && checked.push(name),
          ...(fault && { fault })
        })
      for (const name of names) yield* plays(name)
      const [a, b, c] = [...described] as [string, string, string]
      assert.match(a, /^pool .*192\.0\.2\.\d+:1080 \d+ to 203\.0\.113\.99:443$/)
      assert.strictEqual(described.size, 3)
      const tell = (...results: ReadonlyArray<CheckSharing.CheckResult>) =>
        Effect.suspend(() => {
          sharing.receive({ _tag: "checked", results })
          return settled
        })
      const after = Effect.gen(function* () {
        checked.length = 0
        yield* TestClock.adjust("1 minute")
        yield* settled
        return [...checked]
      })
      yield* tell({ check: a, failure }, { check: b }, { check: c })
      assert.notInclude(yield* times(6), "a")
      assert.deepStrictEqual(yield* after, [])
      yield* tell({ check: a })
      assert.include(yield* times(3), "a")

      // Others can use it, and this server cannot: it tries by itself until it can.
      yield* plays("a", { _tag: "CutOff", after: 0, by: "reset" })
      yield* times(12)
      yield* tell({ check: a })
      assert.notInclude(yield* times(6), "a")
      yield* plays("a")
      assert.deepStrictEqual(yield* after, ["a"])
      assert.include(yield* times(3), "a")
    }).pipe(
      Effect.scoped,
      Effect.provide(layerServer(pool({ check: { target: "203.0.113.99:443", every: "10 seconds" } }))),
      Effect.provideService(CheckSharing.CurrentCheckSharing, sharing)
    )
  )
})
