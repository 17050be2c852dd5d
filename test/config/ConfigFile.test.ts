/**
 * What a config file says, and every way in which it can be wrong.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import type { User } from "../../src/auth/User.ts"
import { table } from "../../src/cli/Settings.ts"
import * as ConfigFile from "../../src/config/ConfigFile.ts"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import type { Rules } from "../../src/config/RuleTable.ts"
import { errors, read } from "../support/config-file.ts"
import { holds } from "../support/property.ts"

describe("a config file", () => {
  it.effect("has values as texts, numbers, booleans, lists and maps", () =>
    Effect.gen(function* () {
      const { values } = yield* read(`
listen:
  - 127.0.0.1:1080
  - address: tls:[::1]:1443
    protocols: [socks5, http]
    udp: false
  - { address: unix:/run/socks.sock, protocols: socks5 }
  - { address: systemd }
protocols: http
user: [alice:secret, "bob: s p a c e"]
idle-timeout: off
unix-mode: 0660
max-sessions: 500
bind: true
udp: "false"
`)
      const { listen, user, idleTimeout, ...others } = values as {
        readonly listen: ReadonlyArray<ListenAddress.ListenAddress>
        readonly user: ReadonlyArray<User>
        readonly idleTimeout: Duration.Duration
      }
      assert.deepStrictEqual(listen.map(ListenAddress.format), [
        "127.0.0.1:1080",
        "tls:[::1]:1443?protocols=socks5+http&udp=false",
        "unix:/run/socks.sock?protocols=socks5",
        "systemd"
      ])
      assert.deepStrictEqual(
        user.map(({ name, password }) => [name, password && Redacted.value(password)]),
        [
          ["alice", "secret"],
          ["bob", " s p a c e"]
        ]
      )
      assert.strictEqual(idleTimeout, Duration.infinity)
      assert.deepStrictEqual<object>(others, {
        protocols: ["http"],
        unixMode: 0o660,
        maxSessions: 500,
        bind: true,
        udp: false
      })
    })
  )

  it.effect("can be JSON, with a schema named for editors", () =>
    Effect.gen(function* () {
      const { values } = yield* read(
        '{\n\t"$schema": "./s.json",\n\t"max-sessions": 5,\n\t"protocols": ["http"]\n}'
      )
      assert.deepStrictEqual(values, { maxSessions: 5, protocols: ["http"] })
    })
  )

  it.effect("can be empty", () =>
    Effect.gen(function* () {
      for (const text of ["", "# nothing\n", "{}"]) assert.deepStrictEqual((yield* read(text)).values, {})
    })
  )

  it.effect("knows the places of its values", () =>
    Effect.gen(function* () {
      const { locate } = yield* read("udp: true\nuser:\n  - a:b\n  - c:d\nprotocols: http\n")
      const at = (line: number, column: number) => ({ file: "f.yaml", line, column })
      assert.deepStrictEqual(locate(["udp"]), { setting: "udp", place: at(1, 6) })
      assert.deepStrictEqual(locate(["user", 1]), { setting: "user[1]", place: at(4, 5) })
      // One value for a list of it.
      assert.deepStrictEqual(locate(["protocols", 0]), { setting: "protocols", place: at(5, 12) })
      assert.isUndefined(locate(["max-sessions"]))
    })
  )

  it.effect("has variables in it, and secrets in files", () =>
    Effect.gen(function* () {
      const text = `max-sessions: \${MAX}\nbind: \${BIND:-true}\nuser: ["\${NAME}:secret", { file: "\${DIR}/bob" }]`
      const env = { MAX: "7", NAME: "alice", DIR: "/run" }
      const files = { "/run/bob": "bob:hunter2\n" }
      const { values } = yield* read(text, { env, files })
      const { user, ...others } = values as { readonly user: ReadonlyArray<User> }
      assert.deepStrictEqual<object>(others, { maxSessions: 7, bind: true })
      assert.deepStrictEqual(
        user.map(({ name, password }) => [name, password && Redacted.value(password)]),
        [
          ["alice", "secret"],
          ["bob", "hunter2"]
        ]
      )
    })
  )
})

const address = "HOST:PORT, such as 127.0.0.1:1080 or [::1]:1080, nor unix:/path, systemd or tls:HOST:PORT"

describe("a mistake", () => {
  it.effect.each<[text: string, message: string]>([
    [
      "idle-timeout: 5 minutes",
      '1:15: idle-timeout: "5 minutes" is not a duration such as 500ms, 10s, 15m or 1h, or off'
    ],
    ["max-sessions: 0", "1:15: max-sessions: 0 is not a whole number above 0, or auto"],
    ["bind: yes", '1:7: bind: "yes" is not true or false'],
    ["bind:", "1:1: bind has no value; leave it out for its default"],
    ["bind: [true]", "1:7: bind: a list is not true or false"],
    ["tls-cert: {}", "1:11: tls-cert: a map is not the path of a file"],
    ["log-level: 1e3", '1:12: log-level: "1e3" is not one of trace, debug, info, warn, error and none'],
    ["listen:\n  - 1080", `2:5: listen[0]: 1080 is not ${address}`],
    ["listen: [[a]]", `1:10: listen[0]: a list is not ${address}`],
    ["listen: []", "1:9: listen: an empty list says nothing; leave it out for its default"],
    ["listen:\n  - ", "2:5: listen[0] has no value"],
    ["listen: { udp: false }", "1:9: listen.address is missing"],
    [
      "listen: { address: 'unix:/run/socks.sock', wait: 30s }",
      "1:9: listen: a map is not HOST:PORT, such as 127.0.0.1:1080 or [::1]:1080, nor unix:/path, systemd or tls:HOST:PORT, nor a map with wait only where its address is HOST:PORT"
    ],
    ["listen:\n  - { address: x, udp: maybe }", `2:16: listen[0].address: "x" is not ${address}`],
    ["listen: { address: systemd, adress: x }", "1:29: listen.adress is no setting; did you mean address?"],
    ["protocols: socks5, http", '1:12: protocols: "socks5, http" is not one of socks5, socks4 and http'],
    ["idleTimeout: 1s", "1:1: idleTimeout is no setting; did you mean idle-timeout?"],
    ["password: x", "1:1: password is no setting"],
    ["config: other.yaml", "1:1: config is no setting"],
    ['"\\u001b[2J": 1', "1:1: this is no setting"],
    ["- a", "1:1: this is no map of settings and their values"],
    ["just text", "1:1: this is no map of settings and their values"],
    ["udp: true\nudp: false", "2:1: this key is here twice, first in line 1"],
    [`max-sessions: \${NOPE}`, "1:15: the environment variable NOPE is not set"],
    ["user: { file: /nowhere }", '1:7: user: "/nowhere" does not exist'],
    [
      "user: { file: lines }",
      '1:7: user: what is in "lines" is not NAME:PASSWORD, each 1 to 255 bytes, the name without a colon'
    ],
    ["user: { fil: x, file: lines2 }", "1:9: user.fil is no setting; did you mean file?"]
  ])("is told with its place: %j", ([text, message]) =>
    Effect.gen(function* () {
      const [first] = yield* errors(text, { files: { lines: "alice:a\nbob:b\n", lines2: "alice:a" } })
      assert.strictEqual(first, `f.yaml:${message}`)
    })
  )

  it.effect("does not hide other mistakes, which are reported in the order of the file", () =>
    Effect.gen(function* () {
      const text = `udp: maybe
listen:
  - 127.0.0.1:1080
  - localhost
  - { protocols: gopher, tls: true }
max-session: 5
max-sessions: \${NOPE}
bind: maybe
`
      assert.deepStrictEqual(yield* errors(text), [
        'f.yaml:1:6: udp: "maybe" is not true or false',
        `f.yaml:4:5: listen[1]: "localhost" is not ${address}`,
        "f.yaml:5:5: listen[2].address is missing",
        'f.yaml:5:18: listen[2].protocols: "gopher" is not one of socks5, socks4 and http',
        "f.yaml:5:26: listen[2].tls is no setting",
        "f.yaml:6:1: max-session is no setting; did you mean max-sessions?",
        "f.yaml:7:15: the environment variable NOPE is not set",
        'f.yaml:8:7: bind: "maybe" is not true or false'
      ])
    })
  )

  it.effect("can be the file itself", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* errors(new Uint8Array([0x61, 0xff])), ["f.yaml: is not UTF-8"])
      const large = new Uint8Array(16 * 1024 * 1024 + 1).fill(0x23)
      assert.deepStrictEqual(yield* errors(large), ["f.yaml: is larger than 16 MiB"])
      assert.deepStrictEqual((yield* read(large.subarray(1))).values, {})
      assert.deepStrictEqual(yield* errors("Directory"), ["f.yaml: is no file"])
    })
  )

  it.effect("never shows a secret", () =>
    Effect.gen(function* () {
      for (const text of [
        "user: hunter2",
        "user: [alice:a, hunter2]",
        "user: { alice: hunter2 }",
        "user: [[hunter2]]",
        "user: alice:hunter2: b",
        "user:\n  - alice:hunter2: b",
        'user: "alice:hunter2',
        "alice:hunter2: b",
        "user: { file: [hunter2] }"
      ]) {
        const error = yield* Effect.flip(read(text))
        const all = `${error.message} ${error} ${JSON.stringify(error)} ${error.stack}`
        assert.notInclude(all, "hunter2", text)
      }
    })
  )

  it.effect("is the only result of random bytes", () =>
    Effect.promise(() =>
      holds(
        fc.asyncProperty(
          fc.oneof(
            fc.uint8Array(),
            fc
              .constantFrom(...Object.keys(ConfigFile.formsOf(table)))
              .chain((key) => fc.string().map((text) => `${key}: ${text}`))
          ),
          async (text) => {
            await Effect.runPromise(Effect.catchTag(read(text), "BadSettings", () => Effect.void))
          }
        )
      )
    )
  )
})

describe("a very large config file", () => {
  const rule = (i: number, action: string) => `  - { name: r${i}, ${action}: true, to: h${i}.example.com }\n`
  const rules = (count: number, action = "deny") =>
    `rules:\n${Array.from({ length: count }, (_, i) => rule(i, action)).join("")}`

  it.effect("is refused if it is not plain, because all sessions would wait", () =>
    Effect.gen(function* () {
      const [first, ...others] = yield* errors(`${rules(15_000)}  - &one { allow: true }\n`)
      assert.include(
        first,
        ":15002:5: this is wrong, or no plain YAML: a file of more than 512 KiB has to be of maps, lists and texts of one line"
      )
      assert.deepStrictEqual(others, [])
      const { values } = yield* read(`${rules(5)}  - &one { allow: true }\n`)
      assert.strictEqual((values.rules as ReadonlyArray<unknown>).length, 6)
    })
  )

  it.effect("with very many mistakes reports the first of them", () =>
    Effect.gen(function* () {
      const wrong = yield* errors(rules(5000, "denny"))
      assert.strictEqual(wrong.length, 1000)
      assert.include(wrong.at(-1), ":1001:19: rules[999].denny is no setting; did you mean deny?")
    })
  )
})

describe("the text of a file without its rules", () => {
  const rules = (...lines: ReadonlyArray<string>) => lines.join("\n")
  const texts: Readonly<Record<string, string>> = {
    "between others": rules(
      "user: a:b",
      "rules: # of many",
      "  - deny: true",
      "    to:",
      "      - a.example",
      "",
      "# more",
      "  - { allow: true }",
      "# the end",
      "log-level: debug"
    ),
    "at the end, not indented": "log-level: debug\nrules:\n- deny: true\n- allow: true",
    "in brackets": "rules: [{ deny: true },\n  { allow: true }] # few\nlog-level: debug\n",
    "in JSON": '{ "user": "a:b", "rules": [\n{ "deny": true }, { "allow": true }\n],\n"log-level": "debug" }',
    "with lines of other systems":
      "user: a:b\r\nrules:\r\n  - deny: true\r\n  - allow: true\r\nlog-level: debug\r\n",
    "that is not plain": "rules:\n  - &one { deny: true }\n  - { allow: true }\nlog-level: debug\n",
    "without rules": "user: a:b\nlog-level: debug\n"
  }
  for (const [what, text] of Object.entries(texts)) {
    it.effect(`has everything but the rules, of one ${what}`, () =>
      Effect.gen(function* () {
        const whole = yield* read(text)
        const known = (whole.values.rules ?? []) as Rules
        const rest = yield* Effect.provideService(read(whole.text), ConfigFile.KnownRules, known)
        assert.deepStrictEqual({ ...rest.values, rules: 0 }, { ...whole.values, rules: 0 })
        assert.strictEqual(rest.values.rules, known)
        assert.deepStrictEqual(rest.locate(["log-level"]), whole.locate(["log-level"]))
        if (!text.includes("&")) assert.notInclude(whole.text, "deny")
      })
    )
  }

  it.effect("is not read for rules by a process that already has the rules", () =>
    Effect.gen(function* () {
      for (const text of ["rules: [{ nonsense: 1 }]\n", "rules:\n  - &one { nonsense: 1 }\n"]) {
        const known: Rules = [{ allow: true }]
        const { values } = yield* Effect.provideService(read(text), ConfigFile.KnownRules, known)
        assert.strictEqual(values.rules, known)
      }
    })
  )
})
