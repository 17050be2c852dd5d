/**
 * The program and the one who starts it: what it says of itself, the settings
 * it takes, and the sentence for each that it cannot use.
 */
import { createRequire } from "node:module"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Settings from "../../src/cli/Settings.ts"
import * as Setting from "../../src/config/Setting.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"

const { version } = createRequire(import.meta.url)("../../package.json")

describe("what it says of itself", () => {
  it.live("help is one page, and help all has every setting", () =>
    Effect.gen(function* () {
      for (const args of [["--help"], ["help"]]) {
        const { code, stdout } = yield* Program.run(args)
        assert.strictEqual(code, 0)
        assert.isAtMost(stdout.split("\n").length, 26)
      }
      for (const args of [
        ["--help", "all"],
        ["help", "all"]
      ]) {
        const { code, stdout } = yield* Program.run(args)
        assert.strictEqual(code, 0)
        for (const [name, { defaultText }] of Object.entries(Setting.texts(Settings.table))) {
          assert.include(stdout, `\n  --${Setting.flagName(name)}`)
          assert.include(stdout, `${Setting.variableName(name)}, default ${defaultText}\n`)
        }
      }
      assert.include((yield* Program.run(["help", "explain"])).stdout, "--to HOST:PORT")
      for (const args of [
        ["--help", "nonsense"],
        ["help", "nonsense"]
      ]) {
        const { code, stderr } = yield* Program.run(args)
        assert.strictEqual(code, 2)
        assert.include(stderr, '"limits"')
        assert.include(stderr, '"explain"')
      }
    })
  )

  it.live("what a command prints reaches a reader that takes its time", () =>
    Effect.gen(function* () {
      const slow = yield* Program.run(["schema"], { by: Program.shell(`"$@" | (sleep 1; cat)`) })
      assert.doesNotThrow(() => JSON.parse(slow.stdout))
      assert.isAbove(slow.stdout.length, 65_536)
    })
  )

  it.live("--version is the package's", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* Program.run(["--version"])
      assert.strictEqual(code, 0)
      assert.strictEqual(stdout, `effect-socks v${version}\n`)
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

describe.concurrent("a setting it cannot use", () => {
  // Of all the others, too, `cli.test.ts` has what is said.
  for (const [name, text] of [
    ["listen", "localhost"],
    ["user", "opensesame"]
  ] as const) {
    const check = ({ code, stdout, stderr }: Processes.Finished, setting: string) => {
      assert.strictEqual(code, 2)
      assert.strictEqual(stdout, "")
      assert.include(stderr, setting)
      assert.match(stderr, /^[^\n]+\n$/)
    }
    const flag = `--${Setting.flagName(name)}`
    const variable = Setting.variableName(name)

    it.live(`${flag}=${text}`, () =>
      Effect.map(Program.run([`${flag}=${text}`]), (finished) => check(finished, flag))
    )
    it.live(`${variable}=${text}`, () =>
      Effect.map(Program.run([], { env: { [variable]: text } }), (finished) => check(finished, variable))
    )
  }

  it.live("a flag it does not know", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* Program.run(["--port", "1080"])
      assert.strictEqual(code, 2)
      assert.match(stderr, /^There is no setting --port\. Did you mean --listen ADDRESS\?\n/)
    })
  )

  it.live("a text that a terminal would obey is shown escaped", () =>
    Effect.gen(function* () {
      const { stderr } = yield* Program.run(["--log-level", "\u001b[2J\nlistening"])
      assert.match(stderr, /^--log-level: "\\u\{1b\}\[2J\\u\{a\}listening" is not .*\n$/)
    })
  )
})
