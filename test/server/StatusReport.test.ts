/**
 * What the log is told of bans when someone asks.
 */
import { assert, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import { Bans } from "../../src/bans/Bans.ts"
import { report } from "../../src/server/StatusReport.ts"
import { attempt, layer } from "../support/guarded.ts"
import { captured } from "../support/logs.ts"

const { lines, layer: logs } = captured()

it.effect("has the numbers of sessions, and the banned networks", () =>
  Effect.gen(function* () {
    const { ban } = yield* Bans
    yield* ban(IpNetwork.fromStringUnsafe("192.0.2.0/24"), Duration.infinity, "abuse")
    yield* attempt("203.0.113.7")
    yield* report
    assert.deepStrictEqual(
      lines.map(({ level, message, fields }) => [level, message, fields]),
      [
        ["Info", "bans", { banned: 1, suspected: 1, turnedAway: 0 }],
        [
          "Info",
          "ban",
          { network: "192.0.2.0/24", until: "+275760-09-13T00:00:00.000Z", reason: "abuse", failures: 0 }
        ],
        ["Info", "failed logins", { network: "203.0.113.7/32", failures: 1 }]
      ]
    )
  }).pipe(Effect.provide(Layer.merge(layer(), logs)))
)
