/**
 * What editors know of the config file.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Settings from "../../src/cli/Settings.ts"
import * as EditorSchema from "../../src/config/EditorSchema.ts"
import * as Setting from "../../src/config/Setting.ts"
import { isValid } from "../support/json-schema.ts"

// As it is printed.
const schema = JSON.parse(JSON.stringify(EditorSchema.make(Settings.table)))

type Property = { readonly description: string; readonly default?: unknown }
const properties: Readonly<Record<string, Property>> = schema.properties

describe("the JSON Schema", () => {
  it("has every setting, with its description and its default", () => {
    const { config: _, ...inFile } = Settings.table
    const names = Object.keys(inFile)
    assert.sameMembers(Object.keys(properties), ["$schema", ...names.map(Setting.flagName)])
    for (const [name, setting] of Object.entries<Setting.Table[string]>(inFile)) {
      const property = properties[Setting.flagName(name)]!
      assert.strictEqual(property.description, setting.description)
      if (property.default === undefined) continue
      assert.isTrue(isValid({ [Setting.flagName(name)]: property.default }, schema), name)
      assert.strictEqual([property.default].flat().map(String).join(", "), setting.defaultText)
    }
    assert.deepStrictEqual(properties.udp?.default, true)
    assert.deepStrictEqual(properties["udp-associations"]?.default, 256)
    assert.deepStrictEqual(properties.protocols?.default, ["socks5", "socks4", "http"])
    assert.notProperty(properties.user, "default")
    assert.notProperty(properties["tls-cert"], "default")
  })

  it.each<[document: unknown]>([
    [{}],
    [{ $schema: "./effect-socks.schema.json", "max-sessions": 500, bind: true }],
    [{ listen: "127.0.0.1:1080", protocols: "http", user: "alice:secret" }],
    [{ listen: ["systemd", { address: "tls:[::1]:1443", protocols: ["socks5", "http"], udp: false }] }],
    [{ listen: { address: "unix:/run/socks.sock" }, "unix-mode": "0660" }],
    [{ user: ["alice:secret", { file: "/run/secrets/bob" }] }],
    [{ "max-sessions": "auto", "udp-rate": "off", "udp-ports": "40000-40999", "unix-mode": 600 }],
    [{ "idle-timeout": "off", "connect-timeout": "1.5s", "log-level": "none" }],
    [
      {
        "max-sessions": `\${MAX}`,
        bind: `\${BIND:-true}`,
        "idle-timeout": `\${HOURS}h`,
        listen: [`\${LISTEN}`]
      }
    ],
    [{ listen: { address: `\${LISTEN}`, udp: `\${UDP}`, protocols: [`\${ONE}`] }, "log-level": `\${LEVEL}` }]
  ])("takes %j", (document) => {
    assert.isTrue(isValid(document, schema))
  })

  it.each<[document: unknown]>([
    [[]],
    [{ "idle-timout": "1s" }],
    [{ idleTimeout: "1s" }],
    [{ config: "other.yaml" }],
    [{ listen: [] }],
    [{ listen: "localhost" }],
    [{ listen: { protocols: ["http"] } }],
    [{ listen: { address: "systemd", tls: true } }],
    [{ listen: { address: "systemd", udp: "maybe" } }],
    [{ protocols: ["gopher"] }],
    [{ user: { path: "x" } }],
    [{ "max-sessions": 0 }],
    [{ "max-sessions": 1.5 }],
    [{ "max-sessions": "many" }],
    [{ bind: "yes" }],
    [{ bind: null }],
    [{ "idle-timeout": 10 }],
    [{ "connect-timeout": "off" }],
    [{ "unix-mode": "rw" }],
    [{ "udp-ports": "40000" }],
    [{ "log-level": "loud" }],
    [{ users: [{ password: "x" }] }],
    [{ users: [{ name: "bob", pasword: "x" }] }],
    [{ rules: { allow: false } }],
    [{ rules: [{ allow: true, too: "x" }] }],
    [{ "tls-cert": "" }]
  ])("does not take %j", (document) => {
    assert.isFalse(isValid(document, schema))
  })
})
