/**
 * Settings that only the start reads: which of them a reload would change.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Settings from "../../src/cli/Settings.ts"
import * as Section from "../../src/config/Section.ts"
import * as StartOnly from "../../src/config/StartOnly.ts"

const initially = Object.assign({}, ...Settings.sections.map(({ defaults }) => defaults))
const kept = StartOnly.keep(Settings.table, initially)

describe("StartOnly", () => {
  it("keeps the settings that say so, and no others", () => {
    const saying = Object.entries(Section.table(Settings.sections))
      .filter(([, { description }]) => description.endsWith("Read at the start only"))
      .map(([name]) => name)
    assert.sameMembers(Object.keys(kept), saying)
    assert.includeMembers(saying, ["admin", "stateDir", "workers", "fleet", "transport", "usageStore"])
  })

  it.effect("warns of those with other values, and of nothing else", () => {
    const warnings: Array<unknown> = []
    const logger = Logger.make<unknown, void>(({ message }) => void warnings.push(message))
    const warn = (changes: object) =>
      StartOnly.warn(kept, { ...initially, ...changes }, (name) => `--${name}`)
    return Effect.gen(function* () {
      yield* warn({ maxSessions: 5 })
      yield* warn({ workers: 2, adminToken: Redacted.make("secret") })
      assert.deepStrictEqual(warnings, [
        ["read at the start only: other values take a restart", { settings: ["--adminToken", "--workers"] }]
      ])
    }).pipe(Effect.provide(Logger.layer([logger])))
  })
})
