/**
 * Sections: what a room declares is what its services get, and nothing else.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { sections, table } from "../../src/cli/Settings.ts"
import * as Section from "../../src/config/Section.ts"
import * as Setting from "../../src/config/Setting.ts"

class Doors extends Section.make<Doors>()("test/Doors", {
  open: Setting.toggle("Whether they are open", false),
  doors: Setting.count("Number of them", "auto", "auto")
}) {}

class Windows extends Section.make<Windows>()("test/Windows", {
  windows: Setting.count("Number of them", "off", 2)
}) {}

const both = [Doors, Windows] as const

describe("a section", () => {
  it("has a default for each of its settings", () => {
    assert.deepStrictEqual(Doors.defaults, { open: false, doors: "auto" })
    assert.deepStrictEqual(Object.keys(Section.table(both)), ["open", "doors", "windows"])
  })

  it.effect("gives a service the values of its own settings", () =>
    Effect.gen(function* () {
      const context = Section.context(both, { open: true, doors: 3, windows: "off" })
      assert.deepStrictEqual(yield* Effect.provide(Doors, context), { open: true, doors: 3 })
      assert.deepStrictEqual(yield* Effect.provide(Windows, context), { windows: "off" })
      assert.deepStrictEqual(Section.values(both, context), { open: true, doors: 3, windows: "off" })
    })
  )
})

it("declares no setting in two sections", () => {
  const names = sections.flatMap(({ table }) => Object.keys(table))
  assert.deepStrictEqual(names, [...new Set(names)])
  assert.deepStrictEqual(Object.keys(table), names)
})
