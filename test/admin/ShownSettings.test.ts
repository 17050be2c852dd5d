/**
 * What operators are shown of the settings.
 */
import { assert, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ShownSettings from "../../src/admin/ShownSettings.ts"
import * as Settings from "../../src/cli/Settings.ts"
import * as MemoryFiles from "../support/files.ts"

it.effect("settings are shown as they are written, without secrets", () =>
  Effect.gen(function* () {
    const { values } = yield* Settings.read({
      ...{ listen: ["127.0.0.1:1080", "unix:/run/socks.sock"], idleTimeout: ["90s"], maxLifetime: ["off"] },
      ...{ user: ["alice:hunter2"], authToken: ["s3cret"], authUrl: ["https://auth.example/?key=s3cret"] },
      ...{ trust: ["10.0.0.0/8"], bandwidthUser: ["1MiB/off"], unixMode: ["0660"], config: ["a.yaml"] },
      ...{ allowTarget: ["10.0.0.5:443", "127.0.0.0/8", "local:*"], adminToken: ["s3cret"] }
    })
    const rows = ShownSettings.rows(Settings.table, values)
    assert.notMatch(JSON.stringify(rows.map(({ value }) => value)), /hunter2|s3cret|alice|bob/)
    const shown = Object.fromEntries(rows.map(({ name, value }) => [name, value]))
    assert.deepInclude(shown, {
      ...{ listen: "127.0.0.1:1080, unix:/run/socks.sock", "idle-timeout": "90s", "max-lifetime": "off" },
      ...{ user: "1 (not shown)", users: "1 (in the config file)", rules: "2 (in the config file)" },
      ...{ "auth-token": "(not shown)", "auth-url": "(not shown)", "admin-token": "(not shown)" },
      ...{
        trust: "10.0.0.0/8",
        "unix-mode": "0660",
        "allow-target": "10.0.0.5:443, 127.0.0.0/8, local:*",
        "log-level": "info"
      },
      ...{ "bandwidth-user": "upload: 1048576, download: off" }
    })
    assert.isFalse(rows.find(({ name }) => name === "idle-timeout")?.isDefault)
    assert.isTrue(rows.find(({ name }) => name === "log-level")?.isDefault)
  }).pipe(
    Effect.provide(
      Layer.merge(
        MemoryFiles.layer({ "a.yaml": "users: ['bob:hunter2']\nrules: [{ allow: true }, { deny: true }]" }),
        ConfigProvider.layer(ConfigProvider.fromEnvRecord({}))
      )
    )
  )
)
