/**
 * That rules come out of a table as they were put in.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Slices from "../../src/base/Slices.ts"
import type { Rule } from "../../src/config/Rule.ts"
import { having, limitsOf, RuleTable, takesDefaultRoute } from "../../src/config/RuleTable.ts"
import { holds } from "../support/property.ts"
import { read, writtenRule } from "../support/rules.ts"

const tableOf = (rules: ReadonlyArray<Rule>) => Slices.runSync(RuleTable.of(rules))

const deny = { deny: true }

const some = read(
  { name: "a name", allow: true },
  { deny: "a reason", users: ["al ice", "b\u202eob", "bob", "bob"], groups: ["staff", "ädmin"] },
  { ...deny, clients: ["10.0.0.0/8", "10.1.2.3", "fd00::/8", "fd00::1"] },
  { ...deny, listeners: ["127.0.0.1:1080", "[::1]:1080", "unix:/run/s"] },
  { ...deny, commands: ["forward", "connect"], protocols: ["http", "socks5"], ports: [443, "8000-8999"] },
  { ...deny, to: ["b.example", "a.example", "*.a.example", "*", "**", "b.example:443", "*.b.example:1-9"] },
  { ...deny, to: ["10.0.0.0/8", "10.0.0.1", "10.0.0.1:65535", "fd00::/8", "[fd00::/8]:22", "*:80", "**:1"] },
  { ...deny, to: "c.example:1-65535" },
  { ...deny, when: ["mon-fri 08:00-18:00", "sat"], timezone: "Europe/Berlin" },
  { ...deny, when: "22:00-06:00" },
  { ...deny, when: ["mon-fri 08:00-18:00", "sat"], timezone: "+02:00" },
  { allow: true, limits: { sessions: 5, lifetime: "8h", "daily-quota": "off" } },
  { allow: true, limits: { sessions: 5, lifetime: "9h", "daily-quota": "off" } },
  { allow: true, limits: { sessions: 5, lifetime: "8h", "daily-quota": "5GiB" } },
  { allow: true, limits: { sessions: 5, lifetime: "8h", "daily-quota": "off" } },
  { allow: true, route: "office" },
  { allow: true, route: "deny" }
)

describe("RuleTable", () => {
  it("has rules of every kind", () => {
    assert.deepStrictEqual([...tableOf(some)], some)
  })

  it("has the rules that were added", () => {
    holds(
      fc.property(fc.array(writtenRule), (written) => {
        const rules = read(...written)
        assert.deepStrictEqual([...tableOf(rules)], rules)
      })
    )
  })

  it("is the same after a copy of its parts, and more rules can be added", () => {
    const half = some.length >> 1
    const table = new RuleTable(structuredClone(tableOf(some.slice(0, half)).parts))
    assert.deepStrictEqual([...table], some.slice(0, half))
    for (const [index, rule] of some.entries()) if (index >= half) table.set(index, rule)
    assert.deepStrictEqual([...table], some)
    assert.deepStrictEqual([...new RuleTable(structuredClone(table.parts))], some)
  })

  it("has long lists in their order", () => {
    const names = Array.from({ length: 50 }, (_, i) => `h${(i * 7) % 50}.example`)
    const rules = read({ ...deny, to: names }, { ...deny, to: names.toReversed() }, { ...deny, users: names })
    assert.deepStrictEqual([...tableOf(rules)], rules)
  })

  it("keeps a target without a rule", () => {
    assert.deepStrictEqual([...tableOf([{ deny: true, to: [] }])], [{ deny: true, to: [] }])
  })

  it("has rules in any order", () => {
    const table = new RuleTable()
    for (const index of [3, 0, 2, 1]) table.set(index, some[index]!)
    assert.deepStrictEqual([...table], some.slice(0, 4))
  })

  it.each([["users"], ["groups"], ["listeners"], ["limits"]] as const)("knows which have %s", (key) => {
    const expected = some.flatMap((rule, index) => (rule[key] === undefined ? [] : [[index, rule]]))
    assert.deepStrictEqual<unknown>([...having(tableOf(some), key)], expected)
    assert.deepStrictEqual<unknown>([...having(some, key)], expected)
  })

  it("has all limits, each once", () => {
    assert.deepStrictEqual(limitsOf(tableOf(some)), [some[11]!.limits!, some[12]!.limits!, some[13]!.limits!])
  })

  it("knows whether a rule allows and names no route", () => {
    const cases: ReadonlyArray<readonly [ReadonlyArray<object>, boolean]> = [
      [[], true],
      [[deny, { allow: true, route: "office" }, { allow: true, route: "deny" }], false],
      [
        [
          { allow: true, route: "office" },
          { allow: true, to: "a.example" }
        ],
        true
      ]
    ]
    for (const [written, expected] of cases) {
      const rules = read(...written)
      assert.deepStrictEqual([rules, tableOf(rules)].map(takesDefaultRoute), [expected, expected])
    }
  })
})
