/**
 * That what a file lists is what a rule is for, and that nothing else is.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as PlatformError from "effect/PlatformError"
import type * as Rule from "../../src/config/Rule.ts"
import * as TargetFiles from "../../src/config/TargetFiles.ts"
import * as TargetPattern from "../../src/config/TargetPattern.ts"
import { read } from "../support/rules.ts"

const files: Record<string, string> = {
  "/etc/socks/names.txt":
    "\ufeff# Ours\r\n\r\nexample.com\r\n  *.Example.com:443   # and below\r\n10.0.0.0/8",
  "/etc/socks/empty.txt": "# none today\n",
  "/other/wrong.txt": "example.com\n\nexa mple.com\n"
}

const disk = Layer.merge(
  FileSystem.layerNoop({
    readFileString: (path) =>
      files[path] === undefined
        ? Effect.fail(
            PlatformError.systemError({ _tag: "NotFound", module: "FileSystem", method: "readFileString" })
          )
        : Effect.succeed(files[path])
  }),
  Path.layer
)

const load = (...rules: ReadonlyArray<object>) =>
  Effect.provide(TargetFiles.load(read(...rules) as ReadonlyArray<Rule.Written>, "/etc/socks"), disk)

const targets = ({ to }: Rule.Rule) => to?.map(TargetPattern.format)

describe("TargetFiles", () => {
  it.effect("puts what a file lists behind what the rule does", () =>
    Effect.gen(function* () {
      const [one, two, three] = yield* load(
        { allow: true, to: "*.example.org", "to-file": "names.txt" },
        { allow: true, "to-file": "/etc/socks/empty.txt" },
        { deny: true }
      )
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
    })
  )

  it.effect("says which line cannot be read", () =>
    Effect.gen(function* () {
      const { message } = yield* Effect.flip(load({ allow: true, "to-file": "../../other/wrong.txt" }))
      assert.include(message, '../../other/wrong.txt:3: "exa mple.com" is not a name')
    })
  )

  it.effect("says which file cannot be read, and whose it is", () =>
    Effect.gen(function* () {
      const { message } = yield* Effect.flip(load({ deny: true }, { allow: true, "to-file": "none.txt" }))
      assert.strictEqual(message, 'to-file of rule 2: "none.txt" (NotFound) is not a file that can be read')
    })
  )

  it.effect("knows the files, each once", () =>
    Effect.gen(function* () {
      const rules = ["names.txt", "/other/wrong.txt", "./names.txt"].map((name) => ({
        allow: true,
        "to-file": name
      }))
      const paths = TargetFiles.paths(read(...rules) as ReadonlyArray<Rule.Written>, "/etc/socks")
      assert.deepStrictEqual(yield* Effect.provide(paths, disk), ["/etc/socks/names.txt", "/other/wrong.txt"])
    })
  )
})
