import { assert, describe, it } from "@effect/vitest"
import { type Bursts, bursts } from "../../src/server/MemoryRelease.ts"

/** Seconds of so many connections until it is time for a collection; nothing if it is not within two minutes. */
const until = ({ observe }: Bursts, connections: number): number | undefined => {
  for (let second = 1; second <= 120; second++) if (observe(connections)) return second
  return undefined
}

describe("MemoryRelease", () => {
  it("collects 10 seconds after a burst, once", () => {
    const watched = bursts()
    watched.observe(5000)
    assert.strictEqual(until(watched, 20), 10)
    assert.isUndefined(until(watched, 0))
  })

  it("collects nothing without a burst", () => {
    const watched = bursts()
    watched.observe(499)
    assert.isUndefined(until(watched, 0))
  })

  it("waits while many connections are open", () => {
    const watched = bursts()
    watched.observe(5000)
    assert.isUndefined(until(watched, 501))
    assert.strictEqual(until(watched, 500), 10)
    watched.observe(600)
    assert.isUndefined(until(watched, 151))
  })

  it("starts to wait again when connections come back", () => {
    const watched = bursts()
    watched.observe(5000)
    for (let second = 0; second < 9; second++) assert.isFalse(watched.observe(0))
    watched.observe(3000)
    assert.strictEqual(until(watched, 0), 10)
  })

  it("collects once a minute at most", () => {
    const watched = bursts()
    watched.observe(5000)
    assert.strictEqual(until(watched, 0), 10)
    watched.observe(5000)
    assert.strictEqual(until(watched, 0), 59)
  })

  it("waits for the last connection to end if a collection took long", () => {
    const watched = bursts()
    watched.observe(5000)
    assert.strictEqual(until(watched, 20), 10)
    watched.collected(51)
    watched.observe(5000)
    assert.isUndefined(until(watched, 1))
    assert.strictEqual(until(watched, 0), 10)
    watched.collected(50)
    watched.observe(5000)
    assert.isDefined(until(watched, 20))
  })
})
