/**
 * Limits that the machines of a fleet have set differently.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FleetDifferences from "../../src/admin/FleetDifferences.ts"

const machine = (
  machine: string,
  limits: Readonly<Record<string, string>>
): FleetDifferences.MachineLimits => ({
  machine,
  limits: Object.entries(limits).map(([name, value]) => ({ name, value }))
})

describe("the limits of the machines of a fleet", () => {
  it("differ where a machine has another value, which is said with its name", () => {
    const limits = { "max-sessions-per-user": "50", "daily-quota": "off" }
    const found = FleetDifferences.of([
      machine("one", limits),
      machine("two", { ...limits, "max-sessions-per-user": "500" }),
      machine("three", limits)
    ])
    assert.deepStrictEqual(found.map(FleetDifferences.sentence), [
      "max-sessions-per-user is 50 on one, three, and 500 on two"
    ])
  })

  it("do not differ by what a machine has for itself, or does not tell of", () => {
    assert.deepStrictEqual(
      FleetDifferences.of([
        machine("one", { "max-handshakes": "10:30:100", "session-rate": "5" }),
        machine("two", { "max-handshakes": "auto" })
      ]),
      []
    )
  })
})
