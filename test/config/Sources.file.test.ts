/**
 * The config file beside the flags and variables: what goes before what, and that
 * a value is written the same in all of them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { AdminSettings } from "../../src/admin/Settings.ts"
import * as Settings from "../../src/cli/Settings.ts"
import * as Setting from "../../src/config/Setting.ts"
import * as Sources from "../../src/config/Sources.ts"
import { BadSetting } from "../../src/Errors.ts"
import { FleetSettings } from "../../src/fleet/Settings.ts"
import * as Config from "../../src/server/Config.ts"
import * as MemoryFiles from "../support/files.ts"
import { holds } from "../support/property.ts"

const read = (
  given: Sources.Given,
  {
    files = {},
    env = {}
  }: { readonly files?: Readonly<Record<string, string>>; readonly env?: Readonly<Record<string, string>> }
) =>
  Settings.read(given).pipe(
    Effect.provide(
      Layer.merge(MemoryFiles.layer(files), ConfigProvider.layer(ConfigProvider.fromEnvRecord({ ...env })))
    )
  )

const files = {
  "a.yaml": "max-sessions: 1\nudp-rate: 1\nudp-associations: 1\nlisten: [127.0.0.1:1, 127.0.0.1:2]\n"
}

describe("a config file", () => {
  it.effect("beats the defaults, and is beaten by variables and flags", () =>
    Effect.gen(function* () {
      const { values } = yield* read(
        { config: ["a.yaml"], maxSessions: ["3"] },
        { files, env: { SOCKS_MAX_SESSIONS: "2", SOCKS_UDP_RATE: "2", SOCKS_LISTEN: "127.0.0.1:3" } }
      )
      assert.strictEqual(values.maxSessions, 3)
      assert.strictEqual(values.udpRate, 2)
      assert.strictEqual(values.udpAssociations, 1)
      assert.strictEqual(values.listen.length, 1)
      assert.deepStrictEqual(values.idleTimeout, Config.defaults.idleTimeout)
    })
  )

  it.effect("can be named by a variable, and a flag names another", () =>
    Effect.gen(function* () {
      const both = { files: { ...files, "b.yaml": "max-sessions: 9" }, env: { SOCKS_CONFIG: "a.yaml" } }
      assert.strictEqual((yield* read({}, both)).values.maxSessions, 1)
      assert.strictEqual((yield* read({ config: ["b.yaml"] }, both)).values.maxSessions, 9)
    })
  )

  it.effect("is optional", () =>
    Effect.gen(function* () {
      const { values, locate, files } = yield* read({}, {})
      assert.deepStrictEqual(values, {
        ...Config.defaults,
        ...AdminSettings.defaults,
        ...FleetSettings.defaults,
        config: undefined,
        workers: 1,
        logLevel: "info",
        logFormat: "auto",
        logFile: undefined
      })
      assert.deepStrictEqual([locate(["listen"]), files.size], [undefined, 0])
    })
  )

  it.effect("is distinguished from flags and variables, with all files that were read", () =>
    Effect.gen(function* () {
      const { locate, files } = yield* read(
        { config: ["a.yaml"], maxSessions: ["3"] },
        { files: { "a.yaml": "max-sessions: 1\nudp-rate: 1\nuser: { file: b }", b: "alice:secret" } }
      )
      assert.deepStrictEqual(Array.from(files), ["a.yaml", "b"])
      const error = (setting: string) => new BadSetting({ setting, value: "1", expected: "enough" })
      assert.strictEqual(
        Sources.placed(error("--udp-rate"), locate).message,
        "a.yaml:2:11: udp-rate: 1 is not enough"
      )
      assert.strictEqual(
        Sources.placed(error("--max-sessions"), locate).message,
        "--max-sessions: 1 is not enough"
      )
    })
  )

  it.effect("is read anew each time", () =>
    Effect.gen(function* () {
      const changing: Record<string, string> = { "a.yaml": "max-sessions: 1" }
      const again = read({ config: ["a.yaml"] }, { files: changing })
      assert.strictEqual((yield* again).values.maxSessions, 1)
      changing["a.yaml"] = "max-sessions: 2"
      assert.strictEqual((yield* again).values.maxSessions, 2)
      changing["a.yaml"] = "max-sessions: none"
      assert.match((yield* Effect.flip(again)).message, /^a\.yaml:1:15: /)
    })
  )

  it.effect("has its mistakes reported together with those of flags and variables", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        read(
          { config: ["a.yaml"], idleTimeout: ["never"], protocols: ["gopher,http,finger"] },
          { files: { "a.yaml": "udp: maybe\nidle-timeout: 1s" }, env: { SOCKS_BIND: "maybe" } }
        )
      )
      assert.strictEqual(error._tag, "BadSettings")
      assert.deepStrictEqual(
        error.errors.map(({ message }) => message.replace(/ is not .*/, "")),
        [
          '--protocols: "gopher"',
          '--protocols: "finger"',
          '--idle-timeout: "never"',
          'SOCKS_BIND: "maybe"',
          'a.yaml:1:6: udp: "maybe"'
        ]
      )
    })
  )

  it.effect("must exist", () =>
    Effect.gen(function* () {
      const { message } = yield* Effect.flip(read({ config: ["no\nfile"] }, {}))
      assert.strictEqual(message, "no\\u{a}file: does not exist")
    })
  )
})

/** Texts that flags take, by setting. */
const duration = fc
  .tuple(fc.integer({ min: 1, max: 999 }), fc.constantFrom("ms", "s", "m", "h", "d"))
  .map(([amount, unit]) => `${amount}${unit}`)
const port = fc.integer({ min: 1, max: 65_535 })
const ip = fc.oneof(
  fc.ipV4(),
  fc.ipV6().filter((text) => !text.includes("."))
)
const name = fc.string({ minLength: 1, maxLength: 20 })
const texts: { readonly [K in keyof typeof Settings.table]?: fc.Arbitrary<string> } = {
  listen: fc.oneof(
    fc.tuple(fc.ipV4(), port).map(([host, port]) => `${host}:${port}`),
    fc.tuple(fc.ipV6(), port).map(([host, port]) => `tls:[${host}]:${port}`),
    name.filter((text) => /^[^/,\s]+$/.test(text)).map((text) => `unix:/run/${text}?udp=false`)
  ),
  protocols: fc.constantFrom("socks5", "socks4", "http"),
  user: fc.tuple(name, name).map(([user, password]) => `${user.replaceAll(":", ";")}:${password}`),
  tlsCert: name,
  unixMode: fc.integer({ min: 0, max: 0o777 }).map((mode) => mode.toString(8).padStart(4, "0")),
  advertise: ip,
  maxSessions: fc.oneof(fc.constant("auto"), fc.integer({ min: 1, max: 999_999_999 }).map(String)),
  udpPorts: fc.tuple(port, port).map((ports) => ports.sort((one, other) => one - other).join("-")),
  bind: fc.constantFrom("true", "false", "1", "0"),
  idleTimeout: fc.oneof(fc.constant("off"), duration),
  connectTimeout: duration,
  dns: fc.oneof(
    fc.ipV4(),
    fc
      .tuple(fc.constantFrom("udp", "tcp", "tls"), fc.ipV6(), port)
      .map(([kind, host, port]) => `${kind}://[${host}]:${port}`)
  ),
  staticHosts: ip.map((address) => `db.example=${address}`),
  logLevel: fc.constantFrom("trace", "none")
}

/** A text in the ways a file has for it: in quotes, or without where nothing in it needs them. */
const scalar = (text: string) => {
  const escaped = text.replaceAll("${", () => "$" + "${")
  return fc.constantFrom(
    JSON.stringify(escaped),
    ...(escaped.includes("\n") ? [] : [`'${escaped.replaceAll("'", "''")}'`]),
    ...(/^[\w./][\w./:-]*$/.test(text) && !/:$|:\s|^(?:null|Null|NULL)$/.test(text) ? [text] : [])
  )
}

const lines = fc.tuple(
  ...Object.entries(texts).map(([setting, arbitrary]) =>
    fc
      .array(arbitrary, { minLength: 1, maxLength: 3 })
      .chain((texts) => fc.tuple(fc.constant(texts), ...texts.map(scalar)))
      .map(([texts, ...written]) => ({ setting, texts, written }))
  )
)

/** With the passwords, which would not be compared. */
const shown = ({ values: { user, ...others } }: Settings.Read) => ({
  ...others,
  user: user.map(({ name, password }) => [name, password && Redacted.value(password)])
})

describe("a text", () => {
  it.effect("has the same meaning in the file and as a flag", () =>
    Effect.promise(() =>
      holds(
        fc.asyncProperty(lines, async (all) => {
          const isList = (setting: string) =>
            "separator" in Settings.table[setting as keyof typeof Settings.table]
          const file = all.map(({ setting, written }) => {
            const items = isList(setting)
              ? written.map((text) => `\n  - ${text}`).join("")
              : ` ${written.at(-1)}`
            return `${Setting.flagName(setting)}:${items}`
          })
          const given = Object.fromEntries(all.map(({ setting, texts }) => [setting, texts]))
          const asFlags = await Effect.runPromise(read(given, {}))
          const asFile = await Effect.runPromise(
            read({ config: ["f.yaml"] }, { files: { "f.yaml": file.join("\n") } })
          )
          assert.deepStrictEqual({ ...shown(asFile), config: undefined }, shown(asFlags))
        })
      )
    )
  )
})

it.effect("shows no URL of a service, which may have a password in it, nor as a list or a map", () =>
  Effect.gen(function* () {
    for (const url of ["https://svc:SECRET@auth.example/", "[https://svc:SECRET@a]", "{ svc:SECRET@a: x }"]) {
      const files = { "a.yaml": `auth-url: ${url}\n` }
      const { message } = yield* Effect.flip(read({ config: ["a.yaml"] }, { files }))
      assert.notInclude(message, "SECRET")
      assert.include(message, "a.yaml:1:")
    }
  })
)
