/**
 * The program and the one who starts it: what it says of itself, the settings
 * it takes, and the sentence for each that it cannot use.
 */
import { readdirSync } from "node:fs"
import { createRequire } from "node:module"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as CodeCache from "../../src/base/CodeCache.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"

const { version } = createRequire(import.meta.url)("../../package.json")

describe.concurrent("the output of the program", () => {
  // What else there is of help, and the settings that it shows: `cli.test.ts`.
  it.live("help is printed; for an unknown group, the list of groups", () =>
    Effect.gen(function* () {
      const all = yield* Program.run(["help", "all"])
      assert.deepStrictEqual([all.code, all.stderr], [0, ""])
      assert.include(all.stdout, "\n  --listen ADDRESS")
      const none = yield* Program.run(["--help", "nonsense"])
      assert.strictEqual(none.code, 2)
      assert.match(
        none.stderr,
        /^There is no help on nonsense. A topic is a command, a setting, or one of .* limits,/
      )
    })
  )

  it.live("the output of a command reaches a slow reader", () =>
    Effect.gen(function* () {
      const slow = yield* Program.run(["schema"], { by: Program.shell(`"$@" | (sleep 1; cat)`) })
      assert.doesNotThrow(() => JSON.parse(slow.stdout))
      assert.isAbove(slow.stdout.length, 65_536)
    })
  )

  it.live("--version prints the version of the package", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* Program.run(["--version"])
      assert.strictEqual(code, 0)
      assert.strictEqual(stdout, `effect-socks v${version}\n`)
    })
  )

  it.live("the build has left a code cache of each file", () =>
    Effect.sync(() => {
      const files = readdirSync("dist/bundle")
      for (const file of files.filter((file) => file.endsWith(".cjs"))) {
        assert.include(files, file + CodeCache.suffix)
      }
      assert.include(files, "program.cjs")
    })
  )

  it.live("--completions bash is a script that bash reads", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* Program.run(["--completions", "bash"])
      assert.strictEqual(code, 0)
      const bash = yield* Processes.run("bash", ["-c", `${stdout}\ncomplete -p effect-socks`])
      assert.strictEqual(bash.code, 0, bash.stderr)
      assert.include(stdout, "--half-close-timeout")
    })
  )
})

describe.concurrent("an invalid setting", () => {
  // Of all the others, too, `cli.test.ts` has what is said.
  for (const [given, flags, env] of [
    ["--listen", ["--listen=localhost"], {}],
    ["SOCKS_USER", [], { SOCKS_USER: "opensesame" }]
  ] as const) {
    it.live(`${given}: one line, and the code 2`, () =>
      Effect.gen(function* () {
        const { code, stdout, stderr } = yield* Program.run(flags, { env })
        assert.deepStrictEqual([code, stdout], [2, ""])
        assert.include(stderr, given)
        assert.match(stderr, /^[^\n]+\n$/)
      })
    )
  }

  it.live("an unknown flag is refused", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* Program.run(["--port", "1080"])
      assert.strictEqual(code, 2)
      assert.match(stderr, /^There is no setting --port\. Did you mean --listen ADDRESS\?\n/)
    })
  )

  it.live("a text with escape sequences is shown escaped", () =>
    Effect.gen(function* () {
      const { stderr } = yield* Program.run(["--log-level", "\u001b[2J\nlistening"])
      assert.match(stderr, /^--log-level: "\\u\{1b\}\[2J\\u\{a\}listening" is not .*\n$/)
    })
  )
})
