/**
 * What rules mean, one case at a time.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Decision } from "../../src/policy/Decision.ts"
import * as Ruleset from "../../src/policy/Ruleset.ts"
import { type Asked, access, ip, read } from "../support/rules.ts"

const judge = (rules: ReadonlyArray<object>, asked: Asked, address?: string, now = 0): Decision =>
  Ruleset.make(read(...rules)).judge(access(asked), address === undefined ? undefined : ip(address), now)

const verdict = (...args: Parameters<typeof judge>) => judge(...args).verdict

type Case = readonly [
  what: string,
  rules: ReadonlyArray<object>,
  asked: Asked,
  expected: Decision["verdict"],
  address?: string
]

const allow = { allow: true }
const deny = { deny: true }

const cases: ReadonlyArray<Case> = [
  ["no rules allow everything", [], { to: "example.com" }, "allow"],
  ["a rule without conditions is for everything", [deny], { to: "example.com" }, "deny"],
  ["the first that matches decides", [allow, deny], { to: "example.com" }, "allow"],
  [
    "what no rule is for is denied",
    [{ ...allow, users: "alice" }],
    { user: "bob", to: "example.com" },
    "deny"
  ],
  ["nobody is no user", [{ ...allow, users: "alice" }], { to: "example.com" }, "deny"],
  [
    "one of the groups will do",
    [{ ...allow, groups: ["a", "b"] }],
    { user: "x", groups: ["b"], to: "e.com" },
    "allow"
  ],
  [
    "all conditions have to hold",
    [{ ...allow, users: "alice", groups: "staff" }],
    { user: "alice", to: "e.com" },
    "deny"
  ],
  ["a client's network", [{ ...allow, clients: "10.0.0.0/8" }], { client: "10.1.2.3", to: "e.com" }, "allow"],
  ["a client of another", [{ ...allow, clients: "10.0.0.0/8" }], { client: "11.1.2.3", to: "e.com" }, "deny"],
  [
    "a client of a socket in a file is in no network",
    [{ ...allow, clients: ["0.0.0.0/0", "::/0"] }],
    { client: "unix", to: "e.com" },
    "deny"
  ],
  ["a listener", [{ ...allow, listeners: "unix:/run/s" }], { listener: "unix:/run/s", to: "e.com" }, "allow"],
  [
    "a listener at all addresses",
    [{ ...allow, listeners: "0.0.0.0:1080" }],
    { listener: "192.0.2.7:1080", to: "e.com" },
    "allow"
  ],
  [
    "a listener of both families",
    [{ ...allow, listeners: "[::]:1080" }],
    { listener: "192.0.2.7:1080", to: "e.com" },
    "allow"
  ],
  [
    "a listener of another family",
    [{ ...allow, listeners: "0.0.0.0:1080" }],
    { listener: "[2001:db8::1]:1080", to: "e.com" },
    "deny"
  ],
  [
    "a listener at another port",
    [{ ...allow, listeners: "0.0.0.0:1080" }],
    { listener: "192.0.2.7:1081", to: "e.com" },
    "deny"
  ],
  ["a command", [{ ...allow, commands: "connect" }], { command: "BIND", to: "e.com" }, "deny"],
  ["a protocol", [{ ...allow, protocols: "http" }], { protocol: "HTTP", to: "e.com" }, "allow"],
  ["a port", [{ ...deny, ports: [25, 465, 587] }, allow], { to: "e.com:465" }, "deny"],
  ["another port", [{ ...deny, ports: [25, 465, 587] }, allow], { to: "e.com:466" }, "allow"],
  ["a port of a target", [{ ...allow, to: "e.com:443" }], { to: "e.com:80" }, "deny"],
  ["the last port of a range", [{ ...allow, to: "*:8000-8999" }], { to: "e.com:8999" }, "allow"],
  ["a name", [{ ...allow, to: "example.com" }], { to: "example.com" }, "allow"],
  ["a name is not what is below it", [{ ...allow, to: "example.com" }], { to: "a.example.com" }, "deny"],
  [
    "what is below a name is not the name",
    [{ ...allow, to: "*.example.com" }],
    { to: "example.com" },
    "deny"
  ],
  ["what ends alike is not below it", [{ ...allow, to: "*.example.com" }], { to: "badexample.com" }, "deny"],
  ["all names are no addresses", [{ ...allow, to: "**" }], { to: "192.0.2.1" }, "deny"],
  ["all names are names", [{ ...allow, to: "**" }], { to: "localhost" }, "allow"],
  ["everything is an address too", [{ ...allow, to: "*" }], { to: "192.0.2.1" }, "allow"],
  // Who may go to a name may not go to its address without naming it.
  [
    "a name does not open its address",
    [{ ...allow, to: "example.com" }],
    { to: "192.0.2.1" },
    "deny",
    "192.0.2.1"
  ],
  ["a network is of addresses", [{ ...allow, to: "192.0.2.0/24" }], { to: "192.0.2.1" }, "allow"],
  [
    "a network is of what a name leads to",
    [{ ...deny, to: "10.0.0.0/8" }, allow],
    { to: "e.com" },
    "deny",
    "10.0.0.1"
  ],
  ["and of nothing else", [{ ...deny, to: "10.0.0.0/8" }, allow], { to: "e.com" }, "allow", "11.0.0.1"],
  ["both families are everything", [{ ...deny, to: ["0.0.0.0/0", "::/0"] }, allow], { to: "e.com" }, "deny"],
  // Nothing is looked up that will be denied.
  ["a name denied", [{ ...deny, to: "e.com" }, allow], { to: "e.com" }, "deny"],
  ["a name that no rule can allow", [{ ...allow, to: "10.0.0.0/8", ports: 80 }], { to: "e.com" }, "deny"],
  ["a name that a network may allow", [{ ...allow, to: "10.0.0.0/8" }], { to: "e.com" }, "undecided"],
  ["a network denied, then the rest", [{ ...deny, to: "10.0.0.0/8" }, deny], { to: "e.com" }, "deny"],
  [
    "a network allowed that is denied before",
    [
      { ...deny, to: "10.0.0.0/8" },
      { ...allow, to: "10.1.0.0/16" }
    ],
    { to: "e.com" },
    "deny"
  ],
  [
    "all but what is denied before",
    [{ ...deny, to: ["0.0.0.0/1", "128.0.0.0/1", "::/0"] }, allow],
    { to: "e.com" },
    "deny"
  ],
  [
    "a user's network, of someone else",
    [{ ...allow, users: "alice", to: "10.0.0.0/8" }],
    { user: "bob", to: "e.com" },
    "deny"
  ],
  // UDP ASSOCIATE itself has no target yet.
  [
    "a target to come, of a user denied",
    [{ ...deny, users: "bob" }, allow],
    { user: "bob", command: "ASSOCIATE" },
    "deny"
  ],
  ["a target to come, that may be allowed", [{ ...allow, ports: 53 }], { command: "ASSOCIATE" }, "undecided"],
  ["a target to come, whatever it is", [allow], { command: "ASSOCIATE" }, "allow"],
  ["a target to come, of everything", [{ ...allow, to: "*" }], { command: "ASSOCIATE" }, "allow"],
  [
    "a target to come, of a command denied",
    [{ ...allow, commands: "connect" }],
    { command: "ASSOCIATE" },
    "deny"
  ]
]

describe("Ruleset", () => {
  for (const [what, rules, asked, expected, address] of cases) {
    it(`${what}: ${expected}`, () => {
      assert.strictEqual(verdict(rules, asked, address), expected)
    })
  }

  it("returns the rule, the reason, and the limits", () => {
    const limits = { sessions: 2 }
    const rules = [
      { name: "no mail", deny: "we send no mail", ports: 25 },
      { deny: true, ports: 23 },
      { allow: true, ports: 443, limits }
    ]
    assert.deepStrictEqual(judge(rules, { to: "e.com:25" }), {
      verdict: "deny",
      rule: "no mail",
      reason: "we send no mail"
    })
    assert.deepStrictEqual(judge(rules, { to: "e.com:23" }), { verdict: "deny", rule: "rule 2" })
    assert.deepStrictEqual(judge(rules, { to: "e.com:443" }), {
      verdict: "allow",
      rule: "rule 3",
      limits
    })
    assert.deepStrictEqual(judge(rules, { to: "e.com:80" }), {
      verdict: "deny",
      rule: "no rule matches",
      reason: "no rule allows it"
    })
    assert.deepStrictEqual(judge([], { to: "e.com:80" }), { verdict: "allow", rule: "no rules" })
  })

  it("uses the time zone of the rule", () => {
    const rules = [{ allow: true, when: "mon-fri 08:00-18:00", timezone: "Europe/Berlin" }]
    const at = (time: string) => verdict(rules, { to: "e.com" }, undefined, Date.parse(time))
    assert.strictEqual(at("2026-11-23T07:00:00Z"), "allow")
    assert.strictEqual(at("2026-11-23T06:59:59Z"), "deny")
    assert.strictEqual(at("2026-11-22T12:00:00Z"), "deny")
  })

  it("allows nothing with an empty list", () => {
    const [rule] = read(allow)
    const { judge } = Ruleset.make([{ ...rule!, to: [] }])
    assert.strictEqual(judge(access({ to: "e.com" }), ip("192.0.2.1"), 0).verdict, "deny")
    assert.strictEqual(judge(access({ command: "ASSOCIATE" }), undefined, 0).verdict, "deny")
  })

  it("denies by a rule that both allows and denies", () => {
    const { judge } = Ruleset.make([{ allow: true, deny: true }])
    assert.strictEqual(judge(access({ to: "e.com" }), undefined, 0).verdict, "deny")
  })

  it("compares users in their logged form", () => {
    assert.strictEqual(
      verdict([{ ...allow, users: "a\u202eb" }], { user: "a\\u{202e}b", to: "e.com" }),
      "allow"
    )
  })

  it("finds one value of very many", () => {
    const to = Array.from({ length: 5000 }, (_, i) => `host${i}.example`)
    const users = Array.from({ length: 5000 }, (_, i) => `user${i}`)
    const { judge } = Ruleset.make(
      read({ allow: true, to, users: "alice" }, { deny: true, users: "alice" }, { allow: true, users })
    )
    const of = (user: string, to: string) => judge(access({ user, to }), ip("192.0.2.1"), 0).rule
    assert.strictEqual(of("alice", "host4999.example"), "rule 1")
    assert.strictEqual(of("alice", "host5000.example"), "rule 2")
    assert.strictEqual(of("user4999", "host0.example"), "rule 3")
    assert.strictEqual(of("user5000", "host0.example"), "no rule matches")
  })
})
