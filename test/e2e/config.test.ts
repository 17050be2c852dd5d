/**
 * The program with a config file: started with one, asked whether it is right,
 * and asked for its schema.
 */
import { readFileSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Certificates from "../support/certificates.ts"
import { isValid } from "../support/json-schema.ts"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"

/** A file of this content, in a directory of its own. */
const file = Effect.fnUntraced(function* (name: string, content: string) {
  const path = join(yield* Temporary.directory, name)
  yield* Effect.promise(() => writeFile(path, content))
  return path
})

/** What the program says when it listens. */
const start = Effect.fnUntraced(function* (...args: Parameters<typeof Program.start>) {
  const { logged } = yield* Program.start(...args)
  return (yield* logged({ message: "listening" })) as {
    readonly addresses: ReadonlyArray<string>
    readonly asksPassword: boolean
  }
})

describe.concurrent("a program with a config file", () => {
  it.live("uses a YAML file, and warns about probable mistakes, at the start and after a change", () =>
    Effect.gen(function* () {
      const settings = `listen:
  - 127.0.0.1:0
  - { address: "[::1]:0", protocols: [http], udp: false }
user: \${NAME}:secret
auth-token: abc
`
      const path = yield* file("a.yaml", settings)
      const env = { NAME: "alice", SOCKS_BIN: "true" }
      const running = yield* Program.start(["--config", path], { env })
      assert.match(running.addresses[0]!, /^127\.0\.0\.1:\d+$/)
      assert.match(running.addresses[1]!, /^\[::1\]:\d+\?protocols=http&udp=false$/)
      assert.include(yield* running.logged({ message: "listening" }), { asksPassword: true })
      const warned = (message: string) => running.logged({ level: "warn", message })
      yield* warned("auth-token: there is no auth-url that it would be for")
      yield* warned("the environment variable SOCKS_BIN is no setting; did you mean SOCKS_BIND?")
      yield* Effect.promise(() =>
        writeFile(path, `${settings}rules: [{ deny: true, limits: { sessions: 1 } }]\n`)
      )
      yield* warned("rules: rule 1 denies, so its limits have no effect")
    })
  )

  it.live("uses a JSON file, below flags and variables", () =>
    Effect.gen(function* () {
      const path = yield* file(
        "a.json",
        JSON.stringify({ listen: ["0.0.0.0:1"], user: "a:b", "log-level": "none" })
      )
      const env = { SOCKS_CONFIG: path, SOCKS_LISTEN: "127.0.0.1:1" }
      const { addresses, asksPassword } = yield* start(["--listen", "127.0.0.1:0", "--log-level=info"], {
        env
      })
      assert.strictEqual(addresses.length, 1)
      assert.match(addresses[0]!, /^127\.0\.0\.1:\d\d+$/)
      assert.isTrue(asksPassword)
    })
  )

  it.live("does not start with an invalid file, and reports all its mistakes", () =>
    Effect.gen(function* () {
      const path = yield* file("a.yaml", "idle-timeout: 5 minutes\nbind: maybe\n")
      const { code, stdout, stderr } = yield* Program.run(["--config", path])
      assert.strictEqual(code, 2)
      assert.strictEqual(stdout, "")
      assert.strictEqual(
        stderr,
        `${path}:1:15: idle-timeout: "5 minutes" is not a duration such as 500ms, 10s, 15m or 1h, or off\n` +
          `${path}:2:7: bind: "maybe" is not true or false\n`
      )
    })
  )

  it.live("reports the place in the file for mistakes in other files", () =>
    Effect.gen(function* () {
      const path = yield* file(
        "a.yaml",
        "listen: tls:127.0.0.1:0\ntls-cert: /nowhere.pem\ntls-key: /nowhere.key\n"
      )
      const { code, stderr } = yield* Program.run(["--config", path])
      assert.strictEqual(code, 2)
      assert.strictEqual(
        stderr,
        `${path}:2:11: tls-cert: "/nowhere.pem" is not a file that can be read (ENOENT)\n`
      )
    })
  )
})

describe.concurrent("effect-socks check", () => {
  it.live("reports an empty and a missing variable", () =>
    Effect.gen(function* () {
      const path = yield* file("a.yaml", "users-file: $EMPTY\nbans-file: $NONE\n".replace(/\w+$/gm, "{$&}"))
      const { stderr } = yield* Program.run(["--config", path, "check"], {
        env: { EMPTY: "", SOCKS_OPEN: "" }
      })
      assert.deepStrictEqual(stderr.trim().split("\n"), [
        `${path}:1:13: the environment variable EMPTY is empty`,
        `${path}:2:12: the environment variable NONE is not set`
      ])
    })
  )

  it.live("starts no server, with flags before or after it, and checks the files for TLS", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      const good = Certificates.certificate(directory, "good", "/CN=good")
      const other = Certificates.certificate(directory, "other", "/CN=other")
      const text = (key: string) =>
        `listen: tls:127.0.0.1:1443\ntls-cert: ${good.certFile}\ntls-key: ${key}\n`
      const right = yield* file("a.yaml", text(good.keyFile))
      const { code, stdout } = yield* Program.run(["--config", right, "--user", "alice:secret", "check"])
      assert.strictEqual(code, 0)
      assert.strictEqual(
        stdout,
        `${right} is right\n\n  listens on tls:127.0.0.1:1443, for users with their password, ` +
          `without UDP, which TLS does not protect (?udp=true)\n  users: alice\n`
      )
      const path = yield* file("b.yaml", text(other.keyFile))
      const wrong = yield* Program.run(["check", "--config", path])
      assert.strictEqual(wrong.code, 2)
      assert.strictEqual(
        wrong.stderr,
        `${path}:3:10: tls-key: "${other.keyFile}" is not the key of the certificate in "${good.certFile}"\n`
      )
    })
  )
})

describe.concurrent("the config file of the documentation", () => {
  const page = (name: string) => readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), "utf8")
  const passwords = { ALICE_PASSWORD: "secret", CAROL_PASSWORD: "0123" }
  const [, example] = /```yaml\n(# yaml-[\s\S]*?)```/.exec(page("operate")) ?? []
  const [, rules] = /```yaml\n(rules:[\s\S]*?)```/.exec(page("users-and-rules")) ?? []

  it.live("is valid, also for editors", () =>
    Effect.gen(function* () {
      const secret = yield* file("bob", "bob:secret\n")
      const path = yield* file("effect-socks.yaml", String(example).replace("/run/secrets/bob", secret))
      const { code, stdout, stderr } = yield* Program.run(["check", "--config", path], { env: passwords })
      assert.strictEqual(stderr, "")
      assert.strictEqual(code, 0)
      assert.include(stdout, "users: alice, bob, carol")

      const printed = yield* Program.run(["schema"])
      assert.strictEqual(printed.code, 0)
      const { parse } = yield* Effect.promise(() => import("yaml"))
      assert.isTrue(isValid(parse(String(example)), JSON.parse(printed.stdout)))
    })
  )

  it.live("accepts the rules on the page", () =>
    Effect.gen(function* () {
      const names = yield* file("names.txt", "example.org\n")
      const users = "users: [{ name: alice, password: secret, groups: [staff] }]\n"
      const text = String(rules).replace("names.txt", names)
      const path = yield* file("rules.yaml", users + text)
      const { code, stderr } = yield* Program.run(["check", "--config", path])
      assert.deepStrictEqual([code, stderr], [0, ""])
    })
  )

  it.live("starts a server", () =>
    Effect.gen(function* () {
      const secret = yield* file("bob", "bob:secret\n")
      const path = yield* file("effect-socks.yaml", String(example).replace("/run/secrets/bob", secret))
      const flags = ["--config", path, "--listen", "127.0.0.1:0"]
      const { asksPassword } = yield* start(flags, { env: passwords })
      assert.isTrue(asksPassword)
    })
  )
})
