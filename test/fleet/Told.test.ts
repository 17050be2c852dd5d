/**
 * What machines tell of themselves, and which of them cannot be in one fleet.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Told from "../../src/fleet/Told.ts"

const told = (name: string, lease: Duration.Input = "6 seconds") =>
  Told.make(name, Duration.fromInputUnsafe(lease), 1000)

describe("a machine that joins", () => {
  it("has the lease of the others", () => {
    const others = [told("one"), told("two")].map((other) => JSON.stringify(other))
    assert.isUndefined(Told.conflict(told("three"), others))
    assert.strictEqual(
      Told.conflict(told("three", "1500 millis"), others),
      "the machine one has --fleet-lease 6s, and this machine 1.5s: all machines need the same"
    )
  })

  it("understands what the others keep", () => {
    const next = told("one")
    // The first versions told no format.
    for (const other of [
      { ...next, format: next.format + 1 },
      { name: "one", startedAt: 1000 }
    ]) {
      assert.match(
        Told.conflict(told("two"), [JSON.stringify(other)]) ?? "",
        /^the machine one is of a version .* --fleet-prefix$/
      )
    }
  })

  it("is kept out by nothing that no machine tells", () => {
    for (const text of [
      "",
      "x",
      "nan",
      "{}",
      '{"name":7,"lease":1,"format":2}',
      '{"name":"x","lease":"1"}'
    ]) {
      assert.isUndefined(Told.conflict(told("one"), [text]), text)
    }
  })
})
