/**
 * Why rules decide as they do.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Ruleset from "../../src/policy/Ruleset.ts"
import { holds } from "../support/property.ts"
import {
  type Asked,
  access,
  asked,
  hosts,
  ip,
  port,
  read,
  steps,
  universe,
  writtenRule
} from "../support/rules.ts"

const explain = (rules: ReadonlyArray<object>, asked: Asked, address?: string) =>
  steps(read(...rules), access(asked), address === undefined ? undefined : ip(address), 0)

describe("Explain", () => {
  it("goes from rule to rule, up to the one that decides", () => {
    const rules = [
      { name: "no mail", deny: true, ports: [25, "465-587"] },
      { deny: true, to: "10.0.0.0/8" },
      { allow: true, users: ["bob", "carol"], to: "*.example" },
      { allow: true },
      { deny: true }
    ]
    assert.deepStrictEqual(explain(rules, { user: "alice", to: "a.example:443" }), [
      { rule: "no mail", verdict: "deny", matches: "no", condition: "ports: 25, 465-587" },
      { rule: "rule 2", verdict: "deny", matches: "maybe", condition: "to: 10.0.0.0/8" },
      { rule: "rule 3", verdict: "allow", matches: "no", condition: "users: bob, carol" },
      { rule: "rule 4", verdict: "allow", matches: "yes" }
    ])
    assert.deepStrictEqual(explain(rules, { user: "bob", to: "a.example:443" }, "10.0.0.1").slice(1), [
      { rule: "rule 2", verdict: "deny", matches: "yes" }
    ])
  })

  it.each<readonly [string, object]>([
    ["groups: staff", { groups: "staff" }],
    ["clients: 10.0.0.0/8, fd00::/8", { clients: ["10.0.0.0/8", "fd00::/8"] }],
    ["listeners: [::1]:1080", { listeners: "[::1]:1080" }],
    ["commands: bind", { commands: "bind" }],
    ["protocols: http", { protocols: "http" }],
    ["to: *.org, a.b:25", { to: ["*.org", "a.b:25"] }],
    ["to: a, b, c, d and 2 more", { to: ["a", "b", "c", "d", "e", "f"] }],
    ["when: 08:00-08:00", { when: "08:00-08:00" }]
  ])("names what does not hold: %s", (condition, conditions) => {
    const rule = { allow: true, ...conditions }
    assert.deepStrictEqual(
      explain([rule], { to: "a.example" }).map((step) => step.condition),
      [condition]
    )
  })

  it("knows the listeners that an unspecified address stands for", () => {
    for (const [written, listener, expected] of [
      ["0.0.0.0:1080", "192.0.2.1:1080", "yes"],
      ["0.0.0.0:1080", "[2001:db8::1]:1080", "no"],
      ["[::]:1080", "192.0.2.1:1080", "yes"],
      ["[::]:1080", "192.0.2.1:1081", "no"],
      ["[::]:1080", "unix:/run/x:1080", "no"]
    ] as const) {
      const rules = [{ allow: true, listeners: written }]
      assert.strictEqual(explain(rules, { listener, to: "a.example" })[0]?.matches, expected)
      const { verdict } = Ruleset.make(read(...rules)).judge(
        access({ listener, to: "a.example" }),
        ip("::1"),
        0
      )
      assert.strictEqual(verdict, expected === "yes" ? "allow" : "deny")
    }
  })

  it("ends with the rule that decides", () => {
    holds(
      fc.property(
        fc.array(writtenRule, { minLength: 1, maxLength: 8 }),
        asked,
        fc.option(fc.constantFrom(...hosts), { nil: undefined }),
        port,
        fc.option(fc.constantFrom(...universe), { nil: undefined }),
        (written, asked, host, port, address) => {
          const rules = read(...written)
          const asks = access({ ...asked, to: host && `${host}:${port}` })
          const where = host === undefined ? undefined : address
          const decision = Ruleset.make(rules).judge(asks, where, 0)
          const all = steps(rules, asks, where, 0)
          const isOpen = all.some(({ matches }) => matches === "maybe")
          if (decision.verdict === "undecided") assert.isTrue(isOpen)
          else if (!isOpen) {
            const last = all.at(-1)
            const expected = last?.matches === "yes" ? last.rule : "no rule matches"
            assert.strictEqual(decision.rule, expected)
          }
        }
      ),
      { numRuns: 150 }
    )
  })
})
