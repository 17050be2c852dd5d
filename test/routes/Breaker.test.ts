import { assert, describe, it } from "@effect/vitest"
import { Breaker } from "../../src/routes/Breaker.ts"

const failing = (times: number) => {
  const breaker = new Breaker()
  for (let i = 0; i < times; i++) breaker.fail(0)
  return breaker
}

describe("a circuit breaker", () => {
  it("lets sessions through until the third failure in a row, and logs that once", () => {
    const breaker = new Breaker()
    assert.deepStrictEqual([breaker.fail(0), breaker.fail(0)], [false, false])
    assert.isTrue(breaker.mayUse(0))
    breaker.succeed()
    assert.deepStrictEqual([breaker.fail(0), breaker.fail(0), breaker.fail(0)], [false, false, true])
    assert.isFalse(breaker.mayUse(0))
    assert.isFalse(breaker.fail(0))
  })

  it("is tried by one session at a time, after a time that doubles up to five minutes", () => {
    const breaker = failing(3)
    assert.deepStrictEqual([breaker.mayUse(9_999), breaker.mayUse(10_000)], [false, true])
    breaker.begin()
    assert.isFalse(breaker.mayUse(10_000))
    breaker.fail(10_000)
    assert.deepStrictEqual([breaker.mayUse(29_999), breaker.mayUse(30_000)], [false, true])
    assert.deepStrictEqual([failing(30).mayUse(299_999), failing(30).mayUse(300_000)], [false, true])
  })

  it("is closed by a success, and unchanged by an inconclusive try", () => {
    const breaker = failing(3)
    breaker.begin()
    breaker.abandon()
    assert.deepStrictEqual([breaker.mayUse(0), breaker.mayUse(10_000)], [false, true])
    assert.isTrue(breaker.succeed())
    assert.isTrue(breaker.mayUse(0))
    assert.isFalse(breaker.succeed())
  })

  it("counts what a target can cause once for each user, so that no user alone opens it", () => {
    const breaker = new Breaker()
    for (let i = 0; i < 9; i++) assert.isFalse(breaker.fail(0, { by: "mallory" }))
    assert.isTrue(breaker.mayUse(0))
    breaker.succeed()
    for (let i = 0; i < 9; i++) assert.isFalse(breaker.fail(0, { by: "mallory" }))
    assert.isFalse(breaker.fail(0, { by: "alice" }))
    assert.isTrue(breaker.fail(0, { by: "bob" }))
    breaker.begin()
    assert.isFalse(breaker.fail(10_000, { by: "mallory" }))
    // The next one may try it.
    assert.isTrue(breaker.mayUse(10_000))
  })

  it("opens at once if the failure is certain", () => {
    const breaker = new Breaker()
    assert.isTrue(breaker.fail(0, { isCertain: true }))
    assert.isFalse(breaker.mayUse(0))
  })
})
