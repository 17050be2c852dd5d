/**
 * Whether a fleet can have a leader by some settings.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as LeaderCheck from "../../src/fleet/LeaderCheck.ts"

const fleet = Redacted.make("redis://store")
const usageStore = {
  _tag: "postgresql",
  url: Redacted.make("postgresql://socks:s3cr3t@database/socks")
} as const

describe("a leader", () => {
  it.effect("needs a fleet and a PostgreSQL", () =>
    Effect.gen(function* () {
      const found = yield* LeaderCheck.database({ fleet, fleetLeader: true, usageStore })
      assert.strictEqual(found?.shown, "postgresql://database/socks")
      assert.isUndefined(
        yield* LeaderCheck.database({ fleet: undefined, fleetLeader: false, usageStore: { _tag: "auto" } })
      )
      const alone = yield* Effect.flip(
        LeaderCheck.database({ fleet: undefined, fleetLeader: true, usageStore })
      )
      assert.strictEqual(
        alone.message,
        "--fleet-leader: a leader is not possible without a fleet, which --fleet names"
      )
      for (const other of [{ _tag: "auto" }, { _tag: "off" }, { _tag: "sqlite", path: "/u" }] as const) {
        const { message } = yield* Effect.flip(
          LeaderCheck.database({ fleet, fleetLeader: true, usageStore: other })
        )
        assert.strictEqual(
          message,
          "--fleet-leader: a leader is not possible without a PostgreSQL that all machines have, which --usage-store names"
        )
      }
    })
  )
})
