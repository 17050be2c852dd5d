/**
 * What the command line is told of a decision, and with which exit code.
 */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as TestConsole from "effect/testing/TestConsole"
import * as Explain from "../../src/cli/Explain.ts"
import { ResolutionFailed, ResolutionTimeout } from "../../src/Errors.ts"
import { Settings } from "../../src/library/Settings.ts"
import { Resolver } from "../../src/network/Resolver.ts"
import * as Ruleset from "../../src/policy/Ruleset.ts"
import * as Routes from "../../src/routes/Routes.ts"
import * as AccessQuestion from "../../src/server/AccessQuestion.ts"
import * as Config from "../../src/server/Config.ts"
import * as Explaining from "../../src/server/Explaining.ts"
import { failingResolver } from "../../src/testing/index.ts"
import * as MemoryFiles from "../support/files.ts"
import { ip, read } from "../support/rules.ts"

const rules = read(
  { name: "no mail", deny: "we send no mail", ports: 25 },
  { name: "inside", deny: true, to: "10.0.0.0/8" },
  { name: "ours", allow: true, groups: "staff", when: "mon-fri 08:00-18:00", timezone: "Europe/Berlin" },
  { name: "names", allow: true, commands: "associate", to: "**" }
)

const inputs = { rules, judge: Ruleset.make(rules).judge }

const names = Resolver.layerFixed({
  "mixed.example": [ip("10.0.0.1"), ip("192.0.2.1")],
  "inside.example": [ip("10.0.0.1")]
})

const given = (flags: Partial<Record<keyof AccessQuestion.Given, string>>): AccessQuestion.Given => ({
  to: Option.fromUndefinedOr(flags.to),
  group: flags.group === undefined ? [] : [flags.group],
  client: Option.fromUndefinedOr(flags.client),
  listener: Option.fromUndefinedOr(flags.listener),
  command: (flags.command ?? "connect") as "connect",
  protocol: (flags.protocol ?? "socks5") as "socks5",
  at: Option.fromUndefinedOr(flags.at),
  address: Option.fromUndefinedOr(flags.address)
})

const ask = (flags: Partial<Record<keyof AccessQuestion.Given, string>>) =>
  AccessQuestion.read(given(flags)).pipe(
    Effect.flatMap((question) => Explaining.explain(inputs, question)),
    Effect.provide(names)
  )

const monday = "2026-11-23T10:00+01:00"

describe("explain", () => {
  it.effect("resolves no name that is denied anyway", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ask({ to: "unknown.example:25" }), {
        lines: ["  no mail: matches", "Denied by: no mail (we send no mail)"],
        code: 1
      })
    })
  )

  it.effect("judges each address of a name", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ask({ to: "mixed.example:443", group: "staff", at: monday }), {
        lines: [
          "At 10.0.0.1:",
          "  no mail: does not match (ports: 25)",
          "  inside: matches",
          "Denied by: inside",
          "At 192.0.2.1:",
          "  no mail: does not match (ports: 25)",
          "  inside: does not match (to: 10.0.0.0/8)",
          "  ours: matches",
          "Allowed by: ours"
        ],
        code: 0
      })
      assert.strictEqual((yield* ask({ to: "inside.example:443", group: "staff", at: monday })).code, 1)
    })
  )

  it.effect("accepts an address in place of a look-up", () =>
    Effect.gen(function* () {
      const asked = { to: "unknown.example:443", group: "staff", at: monday }
      assert.strictEqual((yield* ask({ ...asked, address: "192.0.2.1" })).code, 0)
      assert.strictEqual((yield* ask({ ...asked, address: "10.1.1.1" })).code, 1)
    })
  )

  it.effect("reports that a name has no address, which is a denial", () =>
    Effect.gen(function* () {
      const asked = { to: "unknown.example:443", group: "staff", at: monday }
      assert.deepStrictEqual(yield* ask(asked), {
        lines: [
          "  no mail: does not match (ports: 25)",
          "  inside: may match, and deny (to: 10.0.0.0/8)",
          "  ours: matches",
          "Cannot be reached: unknown.example has no address (--address judges one all the same)"
        ],
        code: 3
      })
    })
  )

  for (const [error, why] of [
    [new ResolutionFailed({ name: "x", code: "ESERVFAIL" }), "the name servers fail (ESERVFAIL)"],
    [new ResolutionTimeout({ name: "x" }), "the name servers do not answer in time"]
  ] as const) {
    it.effect(`reports of a name that ${why}`, () =>
      Effect.gen(function* () {
        const question = yield* AccessQuestion.read(
          given({ to: "some.example:443", group: "staff", at: monday })
        )
        const { lines, code } = yield* Explaining.explain(inputs, question)
        assert.include(lines.at(-1), `Cannot be reached: ${why}`)
        assert.strictEqual(code, 3)
      }).pipe(Effect.provide(failingResolver(error)))
    )
  }

  it.effect("uses the given time", () =>
    Effect.gen(function* () {
      const asked = { to: "192.0.2.1:443", group: "staff" }
      assert.strictEqual((yield* ask({ ...asked, at: "2026-11-23T07:00Z" })).code, 0)
      assert.strictEqual((yield* ask({ ...asked, at: "2026-11-23T06:59:59Z" })).code, 1)
      // By the test's own clock, it is a Thursday, 01:00 in Berlin.
      assert.strictEqual((yield* ask(asked)).code, 1)
    })
  )

  it.effect("explains a request without a target", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ask({ command: "associate" }), {
        lines: [
          "  no mail: may match, and deny (ports: 25)",
          "  inside: may match, and deny (to: 10.0.0.0/8)",
          "  ours: does not match (groups: staff)",
          "  names: may match, and allow (to: **)",
          "Undecided: that depends on each target"
        ],
        code: 0
      })
    })
  )

  it.effect("names the route of an address, and the member that it would use", () =>
    Effect.gen(function* () {
      const { values } = yield* Settings.make({
        upstream: "socks5://alice:secret@proxy.example",
        noProxy: "192.0.2.9",
        routes: {
          name: "pool",
          members: [
            { name: "a", via: "socks5://a" },
            { name: "b", via: "socks5://b" }
          ],
          choose: "sticky"
        },
        rules: [
          { allow: true, to: "192.0.2.1", route: "pool" },
          { allow: true, to: "192.0.2.2", route: "direct" },
          { allow: true }
        ]
      })
      const routeOf = yield* Effect.provide(Routes.describe, Config.layer(values))
      const routeTo = (to: string, user?: string) =>
        Effect.gen(function* () {
          const question = yield* AccessQuestion.read(given({ to }), user)
          const judge = Ruleset.make(values.rules).judge
          const { lines } = yield* Explaining.explain({ rules: values.rules, judge, routeOf }, question)
          return lines.at(-1)
        }).pipe(Effect.provide(names))
      assert.match(String(yield* routeTo("192.0.2.1:80", "alice")), /^Route: pool, through [ab] of 2 members/)
      assert.include(String(yield* routeTo("192.0.2.1:80")), "one of 2 members (sticky)")
      assert.strictEqual(yield* routeTo("192.0.2.2:80"), "Route: direct")
      assert.strictEqual(yield* routeTo("192.0.2.9:80"), "Route: direct")
      const through = "Route: upstream, through socks5://alice@proxy.example:1080"
      assert.strictEqual(yield* routeTo("192.0.2.3:80"), through)
    })
  )

  it.effect("leaves out the first rules if there are very many", () =>
    Effect.gen(function* () {
      const rules = read(...Array.from({ length: 30 }, (_, i) => ({ deny: true, to: `host${i}.example` })))
      const question = yield* AccessQuestion.read(given({ to: "192.0.2.1:443" }))
      const { lines } = yield* Explaining.explain({ rules, judge: Ruleset.make(rules).judge }, question)
      assert.strictEqual(lines.length, 22)
      assert.strictEqual(lines[0], "  10 rules before: 10 do not match, 0 may")
      assert.strictEqual(lines.at(-1), "Denied by: no rule matches (no rule allows it)")
    }).pipe(Effect.provide(names))
  )
})

describe("AccessQuestion", () => {
  it.effect("has the values of the flags", () =>
    Effect.gen(function* () {
      const question = yield* AccessQuestion.read(
        given({
          to: "BÜCHER.example.:443",
          group: "staff",
          client: "::ffff:10.1.2.3",
          listener: "unix:/run/s",
          command: "bind",
          protocol: "http",
          address: "192.0.2.1",
          at: "2026-11-22T10:00Z"
        }),
        "al\u202eice"
      )
      assert.deepStrictEqual(question, {
        access: {
          identity: { user: "al\\u{202e}ice", groups: ["staff"] },
          client: ip("10.1.2.3"),
          listener: "unix:/run/s",
          command: "BIND",
          protocol: "HTTP",
          target: { host: "xn--bcher-kva.example", port: 443 }
        },
        address: ip("192.0.2.1"),
        at: Date.parse("2026-11-22T10:00:00Z")
      } as never)
    })
  )

  it.effect("reads an address like one of a client", () =>
    Effect.gen(function* () {
      const { access } = yield* AccessQuestion.read(given({ to: "[::ffff:192.0.2.1]:443" }))
      assert.strictEqual(NetAddress.formatIp(access.target?.host as NetAddress.IpAddress), "192.0.2.1")
    })
  )

  for (const [flags, message] of [
    [{}, "--to is missing: it names the target, HOST:PORT"],
    [{ to: "example.com" }, '--to: "example.com" is not HOST:PORT'],
    [{ to: "127.1:80" }, '--to: "127.1:80" is not HOST:PORT'],
    [{ to: "e.com:1", client: "somewhere" }, '--client: "somewhere" is not an IP address'],
    [{ to: "e.com:1", address: "e.com" }, '--address: "e.com" is not an IP address'],
    [{ to: "e.com:1", at: "tomorrow" }, '--at: "tomorrow" is not a time'],
    [{ to: "e.com:1", at: "2026-13-22T10:00" }, '--at: "2026-13-22T10:00" is not a time']
  ] as const) {
    it.effect(`says: ${message}`, () =>
      Effect.gen(function* () {
        assert.include((yield* Effect.flip(AccessQuestion.read(given(flags)))).message, message)
      })
    )
  }
})

describe("explain, of settings", () => {
  const run = (name: string, settings = "") =>
    Effect.exit(Explain.run({ config: ["a.yaml"], user: [name] }, given({ to: "192.0.2.1:443" }))).pipe(
      Effect.andThen(TestConsole.errorLines),
      Effect.provide(
        Layer.merge(
          MemoryFiles.layer({ "a.yaml": `users: [{ name: alice, password: secret }]\n${settings}` }),
          ConfigProvider.layer(ConfigProvider.fromEnvRecord({}))
        )
      )
    )

  it.effect("reports an unknown user", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* run("alice"), [])
      assert.deepStrictEqual(yield* run("alcie", "auth-url: http://127.0.0.1:1/"), [])
      assert.deepStrictEqual(yield* run("alcie\n"), ['warning: "alcie\\u{a}" is none of the users'])
    })
  )

  it.effect("takes a user name with parameters, and says which member and address they choose", () =>
    Effect.gen(function* () {
      const settings = [
        "users: [{ name: alice, password: secret }]",
        "user-parameters: [session, 'country:de|fr', 'life:ttl']",
        "egress: 2001:db8:1::/64",
        "egress-by: session",
        "egress-key: 0123456789abcdef",
        "routes:",
        "  - name: pool",
        "    choose: sticky",
        "    sticky-by: session",
        "    members:",
        "      - { name: a, via: socks5://a, labels: country=de }",
        "      - { name: b, via: socks5://b, labels: country=de }",
        "      - { name: c, via: socks5://c }",
        "rules:",
        "  - { allow: true, to: 192.0.2.1, route: pool }",
        "  - { allow: true }"
      ].join("\n")
      const asked = (user: string, to = "192.0.2.1:443") =>
        Effect.exit(Explain.run({ config: ["a.yaml"], user: [user] }, given({ to }))).pipe(
          Effect.andThen(TestConsole.logLines),
          Effect.map((lines) => String(lines.at(-1)).split("\n")),
          Effect.provide(
            Layer.merge(
              MemoryFiles.layer({ "a.yaml": settings }),
              ConfigProvider.layer(ConfigProvider.fromEnvRecord({}))
            )
          )
        )
      const lines = yield* asked("alice-session-42-country-de-life-10m")
      assert.match(
        lines.at(-2)!,
        /^Route: pool, through [ab] of 2 members with country=de, as long as it works$/
      )
      assert.match(lines.at(-1)!, /^Leaves from: 2001:db8:1:0:/)
      assert.deepStrictEqual(yield* asked("alice-session-42-country-de-life-10m"), lines)
      const direct = (user: string) => Effect.map(asked(user, "[2001:db8::2]:443"), (lines) => lines.at(-1))
      assert.match(String(yield* direct("alice-session-42")), /^Leaves from: 2001:db8:1:0:/)
      assert.notStrictEqual(yield* direct("alice-session-42"), yield* direct("alice-session-43"))
      assert.include(yield* asked("alice-country-fr"), "Route: pool, which has no member with country=fr")
      assert.include(yield* asked("alice", "192.0.2.2:443"), "Leaves from: no address of its family")
      assert.deepStrictEqual(yield* asked("alice-session-42-zone-7"), [
        "Refused at the login: undeclared parameter"
      ])
    })
  )

  it.effect("denies the server itself", () =>
    Effect.gen(function* () {
      const asked = (to: string) =>
        Effect.exit(Explain.run({ listen: ["127.0.0.1:1080"] }, given({ to }))).pipe(
          Effect.andThen(TestConsole.logLines),
          Effect.map((lines) => String(lines.at(-1)).split("\n").at(-1)),
          Effect.provide(
            Layer.merge(MemoryFiles.layer({}), ConfigProvider.layer(ConfigProvider.fromEnvRecord({})))
          )
        )
      assert.strictEqual(
        yield* asked("127.0.0.1:1080"),
        "Denied by: address guard (this is the server itself)"
      )
      assert.strictEqual(yield* asked("127.0.0.1:1081"), "Allowed by: no rules")
    })
  )

  it.effect("allows with report-only what is only logged as denied, except the server itself", () =>
    Effect.gen(function* () {
      const asked = (to: string) =>
        Explain.run({ denyTarget: ["192.0.2.1"], reportOnly: ["true"] }, given({ to })).pipe(
          Effect.andThen(TestConsole.logLines),
          Effect.map((lines) => String(lines.at(-1)).split("\n").at(-1)),
          Effect.provide(
            Layer.merge(MemoryFiles.layer({}), ConfigProvider.layer(ConfigProvider.fromEnvRecord({})))
          )
        )
      assert.match(
        String(yield* asked("192.0.2.1:443")),
        /^Allowed, and logged as denied \(report-only\) by: /
      )
      assert.strictEqual((yield* Effect.flip(asked("127.0.0.1:1080")))._tag, "Denied")
    })
  )
})
