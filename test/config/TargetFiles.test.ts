/**
 * That what a file lists is what a rule is for, and that nothing else is.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ConfigFile from "../../src/config/ConfigFile.ts"
import { Files } from "../../src/config/Files.ts"
import type * as Rule from "../../src/config/Rule.ts"
import type { Rules } from "../../src/config/RuleTable.ts"
import * as TargetPattern from "../../src/config/TargetPattern.ts"
import { PolicySettings } from "../../src/policy/Settings.ts"
import * as MemoryFiles from "../support/files.ts"

/** The rules of a config file beside these others, and which files were looked at. */
const reading = (text: string) =>
  Effect.gen(function* () {
    const files = yield* Files.make
    const { values } = yield* ConfigFile.read("f.yaml", ConfigFile.formsOf(PolicySettings.table)).pipe(
      Effect.provideService(Files, files)
    )
    return { rules: [...(values.rules as Rules)], seen: files.seen }
  }).pipe(
    Effect.provide(
      MemoryFiles.layer({
        "f.yaml": text,
        "names.txt": "\ufeff# Ours\r\n\r\nexample.com\r\n  *.Example.com:443   # and below\r\n10.0.0.0/8",
        "/etc/empty.txt": "# none today\n",
        "wrong.txt": "example.com\n\nexa mple.com\n"
      })
    )
  )

const targets = ({ to }: Rule.Rule) => to?.map(TargetPattern.format)

describe("TargetFiles", () => {
  it.effect("adds the targets of the file after those of the rule", () =>
    Effect.gen(function* () {
      const { rules, seen } = yield* reading(`rules:
  - { allow: true, to: "*.example.org", to-file: names.txt }
  - { allow: true, to-file: /etc/empty.txt }
  - { deny: true }
`)
      const [one, two, three] = rules
      assert.deepStrictEqual(targets(one!), [
        "*.example.org",
        "example.com",
        "*.example.com:443",
        "10.0.0.0/8"
      ])
      assert.notProperty(one, "to-file")
      // Not: everything.
      assert.deepStrictEqual(targets(two!), [])
      assert.strictEqual(targets(three!), undefined)
      assert.deepStrictEqual([...seen], ["f.yaml", "names.txt", "/etc/empty.txt"])
    })
  )

  for (const [name, file, message] of [
    ["which line cannot be read", "wrong.txt", '"wrong.txt" line 3: "exa mple.com" is not a name'],
    ["which file there is not", "none.txt", '"none.txt" does not exist']
  ] as const) {
    it.effect(`reports ${name}, and names the file`, () =>
      Effect.gen(function* () {
        const text = `rules:\n  - deny: true\n  - { allow: true, to-file: ${file} }\n`
        const error = yield* Effect.flip(reading(text))
        assert.include(error.message, "f.yaml:3:29: rules[1].to-file: ")
        assert.include(error.message, message)
      })
    )
  }
})
