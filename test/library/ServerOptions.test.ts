/**
 * The options of an app are the settings of the program: the same names, descriptions and defaults.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Values as ConditionValues } from "../../src/config/Conditions.ts"
import type { Command } from "../../src/config/conditions/Commands.ts"
import type { ProtocolName } from "../../src/config/Parsers.ts"
import * as PlainValues from "../../src/config/PlainValues.ts"
import * as Section from "../../src/config/Section.ts"
import * as Setting from "../../src/config/Setting.ts"
import type { RuleOptions, ServerOptions } from "../../src/library/ServerOptions.ts"
import { Settings } from "../../src/library/Settings.ts"
import * as Config from "../../src/server/Config.ts"

/** Does not compile where an option is no setting, or a setting no option. */
const names: { readonly [Name in keyof ServerOptions | Exclude<keyof Config.Values, "user">]: true } =
  Object.fromEntries(Object.keys(Config.defaults).map((name) => [name, true])) as never
const complete: readonly [
  Exclude<keyof ServerOptions, keyof Config.Values>,
  Exclude<keyof Config.Values, keyof ServerOptions>
] extends readonly [never, "user"]
  ? true
  : false = true

/** Does not compile where an app cannot give a rule a condition, a command or a protocol that a config file can. */
const isWhole: readonly [
  Exclude<keyof ConditionValues, keyof RuleOptions>,
  Exclude<Command, RuleOptions["commands"]>,
  Exclude<ProtocolName, RuleOptions["protocols"]>
] extends readonly [never, never, never]
  ? true
  : false = true

const { user: _, ...table } = Section.table(Config.sections)
const settings: Setting.Table = table

const file = new URL("../../src/library/ServerOptions.ts", import.meta.url)
const source = readFileSync(file, "utf8")

/** A text in lines that fit. */
const lines = (text: string): ReadonlyArray<string> =>
  text.match(/\S.{0,104}(?=\s|$)/g)?.map((line) => line.trim()) ?? []

const documentation = ({ description, defaultText }: Setting.Table[string]) =>
  [
    "  /**",
    ...[...lines(`${description}.`), "", ...lines(`@default ${defaultText}`)].map((it) =>
      `   * ${it}`.trimEnd()
    ),
    "   */"
  ].join("\n")

/** The source with the documentation of each option as its setting has it. */
const documented = source.replace(/^export interface ServerOptions \{[\s\S]*?^\}/m, (declared) =>
  declared.replace(/ {2}\/\*\*[\s\S]*?\*\/(\n {2}readonly (\w+)\?:)/g, (_, field: string, name: string) =>
    settings[name] ? documentation(settings[name]) + field : field
  )
)

describe("ServerOptions", () => {
  it.effect("refuses values that are no object of options", () =>
    Effect.gen(function* () {
      for (const options of [null, "127.0.0.1:1080", 5, []]) {
        const { message } = yield* Effect.flip(Settings.make(options as never))
        assert.include(message, "options are an object of settings")
      }
    })
  )

  it("is complete", () => {
    assert.isTrue(complete && names.listen && isWhole)
  })

  /** `npx vitest run test/library/ServerOptions.test.ts -u` writes them. */
  it("describes each setting as it is", async () => {
    await expect(documented).toMatchFileSnapshot(fileURLToPath(file))
  })

  it.effect("takes each default as it is written", () =>
    Effect.gen(function* () {
      for (const [name, setting] of Object.entries(settings)) {
        if (!Setting.isText(setting) || setting.defaultText === "none" || name === "protocols") continue
        const read: Record<string, unknown> = yield* PlainValues.read(table, { [name]: setting.defaultText })
        assert.deepStrictEqual(read[name], setting.default, name)
      }
    })
  )

  it.effect("has the defaults without options", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* Settings.make()).values, Config.defaults)
      assert.deepStrictEqual((yield* Settings.make({ maxSessions: undefined })).values, Config.defaults)
    })
  )
})
