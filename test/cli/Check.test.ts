/**
 * What `effect-socks check` says of settings.
 */
import { readdirSync, writeFileSync } from "node:fs"
import os from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestConsole from "effect/testing/TestConsole"
import * as Check from "../../src/cli/Check.ts"
import type * as Sources from "../../src/config/Sources.ts"
import { certificate } from "../support/certificates.ts"
import * as MemoryFiles from "../support/files.ts"
import { itNeeds } from "../support/needs.ts"
import { replaceOfNode } from "../support/replaced.ts"
import * as Temporary from "../support/temporary.ts"

const interfaces = { areHidden: false, found: os.networkInterfaces() }

replaceOfNode(os, {
  networkInterfaces: () => {
    if (interfaces.areHidden) throw new Error("EAFNOSUPPORT")
    return interfaces.found
  }
})

const check = (given: Sources.Given, file = "") =>
  Check.run(given).pipe(
    Effect.andThen(TestConsole.logLines),
    Effect.map((lines) => lines.join("\n")),
    Effect.provide(
      Layer.merge(
        MemoryFiles.layer({ "a.yaml": file }),
        ConfigProvider.layer(ConfigProvider.fromEnvRecord({}))
      )
    )
  )

describe("a machine with unknown addresses", () => {
  it.effect("does not serve clients that must not reach them", () =>
    Effect.gen(function* () {
      interfaces.areHidden = true
      const { message } = yield* Effect.flip(check({ privateTargets: ["deny"] }))
      assert.include(message, '--private-targets: "deny" is not possible here')
      assert.include(yield* check({ privateTargets: ["allow"] }), "the settings are right")
    }).pipe(Effect.ensuring(Effect.sync(() => (interfaces.areHidden = false))))
  )
})

describe("valid settings", () => {
  it.effect("are summed up", () =>
    Effect.gen(function* () {
      const file = "listen: [0.0.0.0:1080, unix:/run/socks.sock]\nuser: [alice:secret, bob:hunter2]"
      assert.strictEqual(
        yield* check({ config: ["a.yaml"] }, file),
        `a.yaml is right

  listens on 0.0.0.0:1080, for users with their password
  listens on unix:/run/socks.sock, for users with their password
  users: alice, bob`
      )
    })
  )

  it.effect("are summed up without the key in a URL", () =>
    Effect.gen(function* () {
      const summary = yield* check({ authUrl: ["insecure:http://auth.example/check?key=SECRET#SECRET"] })
      assert.include(summary, "users: those whom http://auth.example/check knows")
      assert.notInclude(summary, "SECRET")
    })
  )

  it.effect("need no file", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* check({}),
        "the settings are right\n\n  listens on 127.0.0.1:1080, for everyone who can reach it\n  users: none"
      )
    })
  )
})

describe("a TLS listener", () => {
  itNeeds("openssl")("is said to have no UDP, unless it is asked for", () =>
    Effect.gen(function* () {
      const { certFile, keyFile } = certificate(yield* Temporary.directory, "server", "/CN=localhost")
      const says = Effect.fnUntraced(function* (listen: string, more: Sources.Given = {}) {
        const given = { listen: [listen], tlsCert: [certFile], tlsKey: [keyFile], ...more }
        return /listens on .*?who can reach it(.*)/.exec(yield* check(given))?.[1]
      }, Effect.provide(TestConsole.layer))
      const off = ", without UDP, which TLS does not protect (?udp=true)"
      assert.strictEqual(yield* says("tls:127.0.0.1:1443"), off)
      assert.strictEqual(yield* says("tls:127.0.0.1:1443?udp=true"), ", with UDP in the clear (udp=true)")
      assert.strictEqual(yield* says("tls:127.0.0.1:1443?protocols=http"), "")
      assert.strictEqual(yield* says("tls:127.0.0.1:1443", { udp: ["false"] }), "")
    })
  )
})

describe("quotas", () => {
  const forgetful = "warning: quotas begin anew at every start, as there is no --state-dir"
  for (const [what, file, warnings] of [
    ["for everyone", "daily-quota: 5GiB", [forgetful]],
    ["for everyone, by the month,", "monthly-quota: 5GiB", [forgetful]],
    ["of a user", "users: [{ name: alice, password: secret, limits: { daily-quota: 5GiB } }]", [forgetful]],
    ["of a rule", "rules: [{ allow: true, limits: { monthly-quota: 5GiB } }]", [forgetful]],
    ["of nobody", "user: alice:secret", []]
  ] as const) {
    it.effect(
      `${what} without a directory ${warnings.length > 0 ? "cause a warning" : "cause no warning"}`,
      () =>
        Effect.gen(function* () {
          yield* check({ config: ["a.yaml"] }, file)
          assert.deepStrictEqual(yield* TestConsole.errorLines, warnings)
        })
    )
  }

  it.effect("need a readable state file, and leave it unchanged", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      const settings = { dailyQuota: ["5GiB"], stateDir: [directory] }
      yield* check(settings)
      assert.deepStrictEqual(yield* TestConsole.errorLines, [])
      assert.deepStrictEqual(readdirSync(directory), [])
      writeFileSync(join(directory, "quotas.json"), "{")
      const { message } = yield* Effect.flip(check(settings))
      assert.strictEqual(
        message,
        `cannot keep the state in ${directory}/quotas.json: it is not whole, or of another version`
      )
    })
  )
})

describe("report mode", () => {
  it.effect("causes a warning", () =>
    Effect.gen(function* () {
      yield* check({ reportOnly: ["true"] })
      assert.deepStrictEqual(yield* TestConsole.errorLines, [
        "warning: report-only: what the policy denies is logged, and not denied"
      ])
    })
  )
})

describe("invalid settings", () => {
  it.effect("are files that cannot be written, and none is created", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      const away = join(directory, "away")
      const file = `state-dir: ${away}\nbans-file: ${away}/bans\n`
      const { message } = yield* Effect.flip(check({ config: ["a.yaml"] }, file))
      assert.deepStrictEqual(message.split("\n"), [
        `cannot keep the state in ${away}/quotas.json: its directory does not exist`,
        `a.yaml:2:12: bans-file: "${away}/bans" is not a file that can be read and written (ENOENT)`
      ])
      const isDirectory = yield* Effect.flip(check({ bansFile: [directory] }))
      assert.include(isDirectory.message, "(EISDIR)")
      yield* check({ bansFile: [join(directory, "bans")] })
      assert.deepStrictEqual(readdirSync(directory), [])
    })
  )

  it.effect("are all reported, each as one error", () =>
    Effect.gen(function* () {
      const file =
        "listen: [0.0.0.0:1080, unix:/run/socks.sock, '[::]:1080']\nunix-mode: 0666\ntls-cert: cert.pem"
      const error = yield* Effect.flip(check({ config: ["a.yaml"], tlsKey: ["key.pem"] }, file))
      assert.strictEqual(error._tag, "Unfit")
      const reason =
        "others can reach it and no password is set. Add a user with --user NAME:PASSWORD (or SOCKS_USER), " +
        "or pass --open to let everyone in."
      assert.deepStrictEqual(error.message.split("\n"), [
        'a.yaml:3:11: tls-cert: "cert.pem" is not used by any listener: put tls: before the address of a listener',
        `refusing to listen on 0.0.0.0:1080: ${reason}`,
        `refusing to listen on unix:/run/socks.sock: ${reason}`,
        `refusing to listen on [::]:1080: ${reason}`
      ])
    })
  )

  it.effect("are rules about users and groups that do not exist, each with its place", () =>
    Effect.gen(function* () {
      const file = `users: [{ name: alice, password: secret, groups: [staff] }]
rules:
  - { allow: true, users: [alice, bob], groups: staff }
  - allow: true
    groups:
      - staff
      - stuff
`
      const { message } = yield* Effect.flip(check({ config: ["a.yaml"] }, file))
      assert.deepStrictEqual(message.split("\n"), [
        'a.yaml:3:35: rules[0].users[1]: user "bob" of rule 1 is not one of the users',
        'a.yaml:7:9: rules[1].groups[1]: group "stuff" of rule 2 is not a group of any user'
      ])
    })
  )

  it.effect("are two listeners at one address", () =>
    Effect.gen(function* () {
      const file = "open: true\nlisten:\n  - 127.0.0.1:0\n  - 127.0.0.1:0\n  - 127.0.0.1:1080\n"
      yield* check({ config: ["a.yaml"] }, file)
      for (const twice of ["127.0.0.1:1080", '{ address: "127.0.0.1:1080", udp: false }']) {
        const { message } = yield* Effect.flip(check({ config: ["a.yaml"] }, `${file}  - ${twice}\n`))
        assert.match(
          message,
          /^a.yaml:6:5: listen\[3\]: "127.0.0.1:1080(\?udp=false)?" is not the only listener at its place$/
        )
      }
      const { message } = yield* Effect.flip(check({ listen: ["unix:/run/s,unix:/run/s"] }))
      assert.strictEqual(message, '--listen: "unix:/run/s" is not the only listener at its place')
    })
  )

  it.effect("are reported together with an invalid users file", () =>
    Effect.gen(function* () {
      const file =
        "users-file: /nowhere/users\ntls-cert: cert.pem\nlisten: 127.0.0.1:0\nbans-file: /nowhere/bans"
      const { message } = yield* Effect.flip(check({ config: ["a.yaml"] }, file))
      assert.deepStrictEqual(message.split("\n"), [
        'a.yaml:1:13: users-file: "/nowhere/users" is not a file that can be read (ENOENT)',
        'a.yaml:2:11: tls-cert: "cert.pem" is not used by any listener: put tls: before the address of a listener',
        'a.yaml:4:12: bans-file: "/nowhere/bans" is not a file that can be read and written (ENOENT)'
      ])
    })
  )

  it.effect("are not summed up if they cannot be read", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(check({ config: ["a.yaml"], open: ["maybe"] }, "bind: maybe"))
      assert.strictEqual(error._tag, "BadSettings")
      assert.strictEqual(error.message.split("\n").length, 2)
      assert.deepStrictEqual(yield* TestConsole.logLines, [])
    })
  )
})
