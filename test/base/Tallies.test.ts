/**
 * A bounded table of what was counted, in which the light entries make room.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Tallies from "../../src/base/Tallies.ts"
import { holds } from "../support/property.ts"

const weigh = (value: number) => value

describe("Tallies", () => {
  it("have the same entries as a map, as long as there is room", () => {
    holds(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("set", "remove"), fc.nat({ max: 9 }), fc.nat()), { maxLength: 50 }),
        (acts) => {
          const tallies = Tallies.make<number>(10)
          const map = new Map<string, number>()
          for (const [act, at, value] of acts) {
            const key = `key ${at}`
            if (act === "set") {
              tallies.set(key, value, weigh)
              map.set(key, value)
            } else {
              tallies.remove(key)
              map.delete(key)
            }
            assert.strictEqual(tallies.get(key), map.get(key))
          }
          assert.deepStrictEqual(new Map(tallies.entries()), map)
        }
      )
    )
  })

  it("displace the lightest of the drawn entries, and hold no more than their limit", () => {
    let draws = 0
    const tallies = Tallies.make<number>(16, () => (draws++ % 16) / 16)
    for (let n = 0; n < 16; n++) tallies.set(`key ${n}`, n === 11 ? 1 : 100, weigh)
    tallies.set("another", 50, weigh)
    assert.strictEqual(tallies.get("key 11"), undefined)
    assert.strictEqual(tallies.get("another"), 50)
    assert.lengthOf(tallies.entries(), 16)
  })

  it("keep heavy entries through a flood of light ones", () => {
    const tallies = Tallies.make<number>(100)
    for (let n = 0; n < 10; n++) tallies.set(`heavy ${n}`, 1000, weigh)
    for (let n = 0; n < 10_000; n++) tallies.set(`light ${n}`, 1, weigh)
    assert.lengthOf(tallies.entries(), 100)
    for (let n = 0; n < 10; n++) assert.strictEqual(tallies.get(`heavy ${n}`), 1000)
  })
})
