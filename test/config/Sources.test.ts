/**
 * Where settings come from, in which order, and what is said of a bad one.
 */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Settings from "../../src/cli/Settings.ts"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import * as Setting from "../../src/config/Setting.ts"
import * as Sources from "../../src/config/Sources.ts"
import * as Config from "../../src/server/Config.ts"
import * as MemoryFiles from "../support/files.ts"

const texts = Setting.texts(Settings.table)

const values = (given: Sources.Given, env: Readonly<Record<string, string>> = {}) =>
  Effect.map(Settings.read(given), ({ values }) => values).pipe(
    Effect.provide(
      Layer.merge(
        MemoryFiles.layer({}),
        ConfigProvider.layer(ConfigProvider.fromEnvRecord({ ...env }, { preserveEmptyStrings: true }))
      )
    )
  )

describe("Sources", () => {
  it.effect("falls back on the defaults", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* values({}), Setting.defaults(Settings.table))
    })
  )

  it.effect("takes a flag before a variable before the default", () =>
    Effect.gen(function* () {
      const env = { SOCKS_CONNECT_TIMEOUT: "2s", SOCKS_OPEN: "true", SOCKS_LOG_LEVEL: "debug" }
      const read = yield* values({ connectTimeout: ["3s"], open: ["false"] }, env)
      assert.strictEqual(Duration.toMillis(read.connectTimeout), 3000)
      assert.isFalse(read.open)
      assert.strictEqual(read.logLevel, "debug")
      assert.deepStrictEqual(read.resolveTimeout, Config.defaults.resolveTimeout)
    })
  )

  it.effect("takes an empty variable for none", () =>
    Effect.gen(function* () {
      const env = { SOCKS_OPEN: "", SOCKS_LISTEN: "", SOCKS_USERS_FILE: "", SOCKS_MAX_SESSIONS: "" }
      assert.deepStrictEqual(yield* values({}, env), Setting.defaults(Settings.table))
    })
  )

  it.effect("does not mix the flags of a list with its variable", () =>
    Effect.gen(function* () {
      const read = yield* values({ listen: ["[::1]:2", "127.0.0.1:3"] }, { SOCKS_LISTEN: "127.0.0.1:1" })
      assert.deepStrictEqual(read.listen.map(ListenAddress.format), ["[::1]:2", "127.0.0.1:3"])
    })
  )

  it.effect("does not read a variable if the flag is given", () =>
    Effect.gen(function* () {
      const read = yield* values({ maxSessions: ["5"] }, { SOCKS_MAX_SESSIONS: "many" })
      assert.strictEqual(read.maxSessions, 5)
    })
  )

  it.effect("takes the last of several flags of a single value", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* values({ maxSessions: ["5", "6"] })).maxSessions, 6)
    })
  )

  it.effect("splits addresses at commas and white space", () =>
    Effect.gen(function* () {
      const read = yield* values({}, { SOCKS_LISTEN: " 127.0.0.1:1, [::1]:2\n127.0.0.1:3,,127.0.0.1:4 " })
      assert.deepStrictEqual(read.listen.map(ListenAddress.format), [
        "127.0.0.1:1",
        "[::1]:2",
        "127.0.0.1:3",
        "127.0.0.1:4"
      ])
    })
  )

  it.effect("splits users at line breaks alone", () =>
    Effect.gen(function* () {
      const read = yield* values({}, { SOCKS_USER: "alice:a, b c\n\nbob:d\n" })
      assert.deepStrictEqual(
        read.user.map(({ name, password }) => [name, Redacted.value(password!)]),
        [
          ["alice", "a, b c"],
          ["bob", "d"]
        ]
      )
    })
  )

  it.effect("takes an empty list variable for none", () =>
    Effect.gen(function* () {
      const read = yield* values({}, { SOCKS_LISTEN: " ", SOCKS_USER: "" })
      assert.deepStrictEqual(read.listen, Config.defaults.listen)
      assert.deepStrictEqual(read.user, [])
    })
  )

  for (const [name, setting] of Object.entries(texts)) {
    // Any text but an empty one can be a path.
    if (/^(?:FILE|DIR)\b/.test(setting.metavar)) continue
    it.effect(`reports an invalid ${name} with its text`, () =>
      Effect.gen(function* () {
        const bad = "%\x1b[31m\nsecret"
        const shown = setting.isSecret ? "what was given" : '"%\\u{1b}[31m\\u{a}secret"'
        const byFlag = yield* Effect.flip(values({ [name]: [bad] }))
        assert.strictEqual(byFlag.message, `--${Setting.flagName(name)}: ${shown} is not ${setting.expected}`)
        const variable = Setting.variableName(name)
        const byVariable = yield* Effect.flip(values({}, { [variable]: "%bad" }))
        assert.strictEqual(
          byVariable.message,
          `${variable}: ${setting.isSecret ? "what was given" : '"%bad"'} is not ${setting.expected}`
        )
      })
    )
  }

  it.effect("never shows a URL of a service, which may have a password in it", () =>
    Effect.gen(function* () {
      for (const url of ["https://svc:SECRET@auth.example/", "htps://svc:SECRET@x", "ftp://x/?key=SECRET"]) {
        const { message } = yield* Effect.flip(values({ authUrl: [url] }))
        assert.notInclude(message, "SECRET")
        assert.include(message, "without a user or a password in it, which --auth-token is for")
      }
    })
  )

  it.effect("never shows a password", () =>
    Effect.gen(function* () {
      for (const text of ["hunter2", ":hunter2", "alice:", `alice:hunter2${"x".repeat(255)}`]) {
        const error = yield* Effect.flip(values({ user: ["bob:hunter2", text] }))
        assert.strictEqual(error._tag, "BadSettings")
        const all = `${error.message} ${error} ${JSON.stringify(error)} ${error.stack}`
        assert.notInclude(all, "hunter2")
        assert.notInclude(all, "alice")
      }
    })
  )

  it("has a flag for every setting", () => {
    assert.deepStrictEqual(Object.keys(Sources.flags(Settings.table)), Object.keys(texts))
  })
})
