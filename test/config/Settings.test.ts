/**
 * The tables of settings: names, defaults, and what each one takes.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Settings from "../../src/cli/Settings.ts"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import * as Setting from "../../src/config/Setting.ts"
import * as Config from "../../src/server/Config.ts"

const table: Readonly<Record<string, Setting.Setting<unknown>>> = Setting.texts(Settings.table)

describe("Settings", () => {
  it("names flags and variables by one rule", () => {
    assert.strictEqual(Setting.flagName("handshakeTimeout"), "handshake-timeout")
    assert.strictEqual(Setting.variableName("handshakeTimeout"), "SOCKS_HANDSHAKE_TIMEOUT")
    assert.strictEqual(Setting.flagName("open"), "open")
    assert.strictEqual(Setting.variableName("open"), "SOCKS_OPEN")
    const names = Object.keys(table)
    assert.lengthOf(new Set(names.map(Setting.flagName)), names.length)
    assert.lengthOf(new Set(names.map(Setting.variableName)), names.length)
  })

  it.each(Object.entries(table))("documents the default of %s as it is", (_, setting) => {
    const values = setting.separator ? (setting.default as ReadonlyArray<unknown>) : [setting.default]
    if (values.length === 0 || setting.default === undefined) return
    assert.deepStrictEqual(
      setting.defaultText.split(/, /).map((text) => Option.getOrThrow(setting.read(text))),
      values
    )
  })

  it("has all settings in the configuration, at their defaults", () => {
    const defaults: Readonly<Record<string, unknown>> = { ...Config.defaults }
    // Those of the program alone.
    const ofProgram = /^(?:workers|config|log(?:Level|Format|File)|admin\w*|fleet\w*)$/
    const settings = Object.entries(Settings.table).filter(([name]) => !ofProgram.test(name))
    assert.sameMembers(
      Object.keys(defaults),
      settings.map(([name]) => name)
    )
    for (const [name, setting] of settings) assert.strictEqual(defaults[name], setting.default)
  })

  it("serves this machine only, by default", () => {
    assert.deepStrictEqual(Config.defaults.listen.map(ListenAddress.format), ["127.0.0.1:1080"])
    assert.isFalse(Config.defaults.open)
    assert.deepStrictEqual(Config.defaults.user, [])
  })

  it.each(["127.0.0.1:1080", "0.0.0.0:0", "[::1]:65535", "localhost:1080"])("listens on %s", (text) => {
    assert.strictEqual(ListenAddress.format(Option.getOrThrow(Settings.table.listen.read(text))), text)
  })

  it.each([
    "",
    "1080",
    ":1080",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "127.0.0.1:http",
    "127.0.0.1:1e3",
    "::1:1080",
    "[::1]",
    "127.1:1080",
    "a b:1080",
    "127.0.0.1:1080 "
  ])("does not listen on %j", (text) => {
    assert.isTrue(Option.isNone(Settings.table.listen.read(text)))
  })

  it("takes off only for settings that can be off", () => {
    const off = Object.entries(table).filter(
      ([, { metavar, isSecret, read }]) =>
        !["FILE", "DIR", "TARGET"].includes(metavar) && !isSecret && Option.isSome(read("off"))
    )
    assert.deepStrictEqual(
      off.map(([name]) => name),
      [
        // As the name of a parameter, userParameters and egressBy take any word.
        ...["userParameters", "banAfter", "pac", "egressBy"],
        ...["idleTimeout", "halfCloseTimeout", "nat64"],
        ...["maxSessionsPerClient", "maxSessionsPerUser", "sessionRate", "maxLifetime"],
        ...["dailyQuota", "monthlyQuota"],
        ...["bandwidthSession", "bandwidthUser", "bandwidthTotal"],
        ...["udpAssociations", "usageRollup", "usageRetention", "udpIdleTimeout", "udpRate"]
      ]
    )
    assert.deepStrictEqual(Settings.table.idleTimeout.read("off"), Option.some(Duration.infinity))
  })

  it("counts sessions in whole numbers above zero", () => {
    const read = (text: string) => Option.getOrUndefined(Settings.table.maxSessions.read(text))
    assert.deepStrictEqual(["1", "999999999", "auto"].map(read), [1, 999_999_999, "auto"])
    for (const text of ["", "0", "-1", "01", "1.5", "1e3", "1000000000", "0x10", "Auto", "Infinity", "1 "]) {
      assert.strictEqual(read(text), undefined, text)
    }
  })
})
