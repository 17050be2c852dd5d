/**
 * Whole histories of fleets. `bench/fleet.js simulate` has more of them, and larger ones.
 */
import { describe, it } from "@effect/vitest"
import * as History from "../support/fleet-history.ts"

describe("a fleet in which everything goes wrong, and then nothing", () => {
  const plans: ReadonlyArray<Omit<History.Plan, "seconds">> = [
    { seed: 65, machines: 3, fault: "share", missed: 0, drift: 0 },
    { seed: 6, machines: 3, fault: "deny", missed: 0, drift: 0.01 },
    { seed: 9, machines: 3, fault: "keep", missed: 0, drift: 0.01 },
    { seed: 12, machines: 3, fault: "share", missed: 0.1, drift: 0 },
    { seed: 7, machines: 12, fault: "deny", missed: 0, drift: 0.01 }
  ]
  for (const plan of plans) {
    it(`keeps its bounds: ${plan.machines} machines, ${plan.fault}, seed ${plan.seed}`, () => {
      History.run({ ...plan, seconds: 30 })
    })
  }
})
