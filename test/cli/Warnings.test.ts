/**
 * What is pointed out in settings, and that nothing is without reason.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import * as Settings from "../../src/cli/Settings.ts"
import * as Warnings from "../../src/cli/Warnings.ts"
import * as MemoryFiles from "../support/files.ts"
import * as Temporary from "../support/temporary.ts"

/** Those of a config file, in this environment, at noon of 2026-11-22. */
const warnings = (file: string, env: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(Date.parse("2026-11-22T12:00:00Z"))
    return yield* Warnings.of(yield* Settings.read({ config: ["a.yaml"] }), Object.keys(env))
  }).pipe(
    Effect.provide(
      Layer.merge(
        MemoryFiles.layer({ "a.yaml": file, members: "# none of them is left\n" }),
        ConfigProvider.layer(ConfigProvider.fromEnvRecord({ ...env }))
      )
    )
  )

describe("warnings", () => {
  it.effect("are about rules", () =>
    Effect.gen(function* () {
      const file = `rules:
  - { deny: true, ports: 25, limits: { sessions: 1 } }
  - { allow: true, listeners: ["127.0.0.1:1081"] }
`
      assert.deepStrictEqual(yield* warnings(file), [
        "rules: rule 1 denies, so its limits have no effect",
        "rules: rule 2 is for the listener 127.0.0.1:1081, and there is none"
      ])
    })
  )

  it.effect("are about a fleet's store that is reached in the clear, without its password", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* warnings("fleet: redis://:s3cr3t@store/1"), [
        "fleet: what this machine and redis://store:6379/1 tell each other goes in the clear, its password too: use " +
          "rediss:// where the network in between is not trusted"
      ])
      for (const url of [
        "redis://:s3cr3t@127.0.0.1",
        "rediss://:s3cr3t@store",
        "redis+unix:///run/redis.sock"
      ]) {
        assert.deepStrictEqual(yield* warnings(`fleet: ${url}`), [])
      }
    })
  )

  it.effect("are about rules that take a route with name servers by addresses only", () =>
    Effect.gen(function* () {
      const file = `routes:
  - { name: inside, dns: 10.0.0.53 }
  - { name: quiet, egress: 127.0.0.1 }
rules:
  - { allow: true, to: "*.corp.example", route: inside }
  - { name: ours, allow: true, to: [10.0.0.0/8, 192.168.0.0/16], route: inside }
  - { allow: true, to: [10.0.0.0/8, db.example], route: inside }
  - { allow: true, to: 172.16.0.0/12, route: quiet }
`
      assert.deepStrictEqual(yield* warnings(file), [
        "rules: ours takes the route inside by addresses only: names that lead to these are found by other name servers, and denied"
      ])
    })
  )

  it.effect(
    "are about addresses and interfaces from which sessions are to leave, and which are not here",
    () =>
      Effect.gen(function* () {
        const file = `egress: [192.0.2.10, 127.0.0.1, 192.0.2.0/28, lo, nosuch0]
egress-key: 0123456789abcdef
routes: { name: quiet, egress: 192.0.2.11 }
rules: { allow: true, route: quiet }
`
        assert.deepStrictEqual(yield* warnings(file), [
          "egress: this machine does not have 192.0.2.10, so no session leaves from there unless a local route has it",
          "egress: this machine has no interface nosuch0, or the interface has no address",
          "egress of the route quiet: this machine does not have 192.0.2.11, so no session leaves from there unless a local " +
            "route has it"
        ])
      })
  )

  it.effect("are about routes whose file has no member", () =>
    Effect.gen(function* () {
      const file = `routes: { name: pool, members-file: members }
rules: { allow: true, route: pool }
`
      assert.deepStrictEqual(yield* warnings(file), [
        "routes: pool has no member, so every session that takes it fails"
      ])
    })
  )

  it.effect("are about datagrams that TLS does not protect", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* warnings('listen: ["tls:127.0.0.1:1443", "127.0.0.1:1080?udp=true"]\n'),
        []
      )
      const file = 'listen: "tls:127.0.0.1:1443?udp=true"\n'
      assert.deepStrictEqual(yield* warnings(file), [
        "listen: datagrams of tls:127.0.0.1:1443?udp=true go in the clear, and those of anyone at a client's " +
          "address are taken for the client's; udp-strict has clients declare their ports"
      ])
      assert.deepStrictEqual(yield* warnings('listen: "tls:127.0.0.1:1443?protocols=http&udp=true"\n'), [])
    })
  )

  it.effect("are about users whose names are read as others with parameters", () =>
    Effect.gen(function* () {
      const users = 'users: ["alice:a", "alice-session-1:b", "alice-session:c", "a-b:d"]\n'
      assert.deepStrictEqual(yield* warnings(users), [])
      assert.deepStrictEqual(yield* warnings(`${users}user-parameters: session\n`), [
        "users: cannot log in by a password, as user-parameters reads parameters in their names: " +
          "alice-session-1, alice-session"
      ])
    })
  )

  it.effect("are about a self-signed certificate", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* warnings('listen: "tls:127.0.0.1:1443"\ntls: auto\n'), [
        "tls: auto is for trying: the certificate is self-signed, and another after each start"
      ])
    })
  )

  it.effect("are about a token without a service", () =>
    Effect.gen(function* () {
      const token = "auth-token: hunter2\n"
      assert.deepStrictEqual(yield* warnings(token), [
        "auth-token: there is no auth-url that it would be for"
      ])
      assert.deepStrictEqual(yield* warnings(`${token}auth-url: https://auth.example/`), [])
    })
  )

  it.effect("are about a token of the admin listener that can be guessed", () =>
    Effect.gen(function* () {
      const token = (length: number) => `admin-token: ${"x".repeat(length)}\n`
      assert.deepStrictEqual(yield* warnings(`admin: 127.0.0.1:9090\n${token(15)}`), [
        "admin-token: it can be guessed: 16 random characters or more cannot"
      ])
      assert.deepStrictEqual(yield* warnings(`admin: 127.0.0.1:9090\n${token(16)}`), [])
      assert.deepStrictEqual(yield* warnings(`admin: unix:/run/admin.sock\n${token(1)}`), [])
    })
  )

  it.effect("are about expired users, also of a users file", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "users.yaml")
      const user = (name: string, expires: string) =>
        `- { name: ${name}, password: x, expires: ${expires} }\n`
      writeFileSync(path, user("carol", "2020-01-01") + user("dave", "2030-01-01"))
      const users = `${user("alice", "2026-11-21")}${user("bob", "2026-11-22")}`
      assert.deepStrictEqual(yield* warnings(`users-file: ${path}\nusers:\n${users}`), [
        "users: expired, and not let in: alice, carol"
      ])
      const many = Array.from({ length: 12 }, (_, index) => user(`u${index}`, "2020-01-01")).join("")
      assert.deepStrictEqual(yield* warnings(`users:\n${many}`), [
        "users: expired, and not let in: u0, u1, u2, u3, u4, u5, u6, u7, u8, u9, and 2 more"
      ])
    })
  )

  it.effect("are about users who cannot log in", () =>
    Effect.gen(function* () {
      const users = "users: [{ name: alice, password: x }, { name: bob }]\n"
      assert.deepStrictEqual(yield* warnings(users), [
        "users: cannot log in, without a password, password-hash or tls-client-ca: bob"
      ])
      assert.deepStrictEqual(yield* warnings(`${users}tls-client-ca: ca.pem\n`), [])
    })
  )

  it.effect("are about upstreams that resolve names", () =>
    Effect.gen(function* () {
      for (const upstream of ["socks5h://proxy.example", "http://proxy.example?names=upstream"]) {
        const [warning = "", ...others] = yield* warnings(`upstream: ${upstream}\n`)
        assert.match(warning, /^names=upstream: the upstream resolves the names of targets again/)
        assert.deepStrictEqual(others, [])
      }
      assert.deepStrictEqual(yield* warnings("upstream: socks5://proxy.example\n"), [])
    })
  )

  it.effect("are about variables that look like settings", () =>
    Effect.gen(function* () {
      const env = { SOCKS_LISTN: "x", SOCKS_HOST: "x", SOCKS_UDP: "true", SOCKS_ALICE: "alice:x", PATH: "x" }
      assert.deepStrictEqual(yield* warnings(`user: \${SOCKS_ALICE}`, env), [
        "the environment variable SOCKS_LISTN is no setting; did you mean SOCKS_LISTEN?",
        "the environment variable SOCKS_HOST is no setting"
      ])
    })
  )
})
