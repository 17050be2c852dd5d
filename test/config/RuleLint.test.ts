/**
 * Which rules are pointed out, and that none is without reason.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import * as Slices from "../../src/base/Slices.ts"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import { nameOf, type Rule } from "../../src/config/Rule.ts"
import * as RuleLint from "../../src/config/RuleLint.ts"
import { type Rules, RuleTable } from "../../src/config/RuleTable.ts"
import { holds } from "../support/property.ts"
import { access, asked, hosts, naive, port, read, targetOf, universe, writtenRule } from "../support/rules.ts"

const allow = { allow: true }
const deny = { deny: true }

/** What is said of rules, whether they are in a list or in a table. */
const said = <A>(find: (rules: Rules) => Slices.Work<A>, rules: ReadonlyArray<Rule>): A => {
  const found = Slices.runSync(find(rules))
  assert.deepStrictEqual(Slices.runSync(find(Slices.runSync(RuleTable.of(rules)))), found)
  return found
}

/** Which rules never match, by their number. */
const never = (...rules: ReadonlyArray<object>) =>
  RuleLint.unmatched(read(...rules)).map((warning) => Number(/^rule (\d+) never matches/.exec(warning)?.[1]))

const pairs: ReadonlyArray<readonly [first: object, second: object, isCovered: boolean]> = [
  [{}, {}, true],
  [{}, { users: "alice" }, true],
  [{ users: "alice" }, {}, false],
  [{ users: ["alice", "bob"] }, { users: "bob", ports: 25 }, true],
  [{ users: "alice" }, { users: ["alice", "bob"] }, false],
  [{ groups: "staff" }, { users: "alice" }, false],
  [{ clients: "10.0.0.0/8" }, { clients: ["10.1.0.0/16", "10.0.0.1"] }, true],
  [{ clients: "10.1.0.0/16" }, { clients: "10.0.0.0/8" }, false],
  [{ ports: "1-100" }, { ports: [25, "80-90"] }, true],
  [{ ports: "1-100" }, { ports: "90-110" }, false],
  [{ to: "*" }, { to: ["a.b", "*.b", "**", "10.0.0.0/8"] }, true],
  [{ to: "**" }, { to: ["a.b", "*.b", "**:25"] }, true],
  [{ to: "**" }, { to: "10.0.0.0/8" }, false],
  [{ to: "**" }, { to: "*" }, false],
  [{ to: "*.b" }, { to: ["a.b", "x.a.b:25", "*.a.b"] }, true],
  [{ to: "*.b" }, { to: "b" }, false],
  [{ to: "*.a.b" }, { to: "*.b" }, false],
  [{ to: "x.b" }, { to: "*.b" }, false],
  [{ to: "10.0.0.0/8" }, { to: "10.1.0.0/16:25" }, true],
  [{ to: "10.0.0.0/8:25" }, { to: "10.1.0.0/16" }, false],
  [{ to: "*:20-30" }, { to: "a.b:25" }, true],
  [{ when: "sat" }, { when: "sat" }, true],
  [{ when: "sat", timezone: "Asia/Tokyo" }, { when: "sat" }, false],
  [{}, { when: "sat" }, true]
]

describe("RuleLint", () => {
  for (const [first, second, isCovered] of pairs) {
    it(`${JSON.stringify(second)} behind ${JSON.stringify(first)}: ${isCovered ? "never" : "may match"}`, () => {
      assert.deepStrictEqual(never({ ...deny, ...first }, { ...allow, ...second }), isCovered ? [2] : [])
    })
  }

  it("names the rule that covers another", () => {
    assert.deepStrictEqual(
      RuleLint.unmatched(read({ name: "all", ...deny }, { name: "us", ...allow, users: "us" })),
      ["us never matches: all has decided before"]
    )
  })

  it("warns about a denial with limits", () => {
    assert.deepStrictEqual(
      said(
        RuleLint.idle,
        read({ ...deny, limits: { sessions: 1 } }, { ...deny }, { ...allow, limits: { sessions: 1 } })
      ),
      ["rule 1 denies, so its limits have no effect"]
    )
  })

  const heard: ReadonlyArray<readonly [listen: string, listener: string, isThere: boolean]> = [
    ["127.0.0.1:1080", "127.0.0.1:1080", true],
    ["127.0.0.1:1080", "127.0.0.1:1081", false],
    ["127.0.0.1:1080", "127.0.0.2:1080", false],
    ["127.0.0.1:1080", "0.0.0.0:1080", true],
    ["127.0.0.1:1080", "0.0.0.0:1081", false],
    ["127.0.0.1:1080", "unix:/run/s", false],
    ["0.0.0.0:1080", "192.0.2.1:1080", true],
    ["[::]:1080", "192.0.2.1:1080", true],
    ["[::1]:1080", "[::1]:1080", true],
    ["127.0.0.1:0", "127.0.0.1:1080", true],
    ["proxy.example:1080", "192.0.2.1:1080", true],
    ["unix:/run/s", "unix:/run/s", true],
    ["unix:/run/s", "unix:/run/t", false],
    ["tls:127.0.0.1:1080?udp=false", "127.0.0.1:1080", true],
    ["systemd", "127.0.0.1:1080", true]
  ]
  for (const [listen, listener, isThere] of heard) {
    it(`${isThere ? "accepts" : "warns about"} the listener ${listener} with ${listen}`, () => {
      const rules = read(allow, { name: "us", ...allow, listeners: listener })
      assert.deepStrictEqual(
        said(
          (rules) => RuleLint.withoutListener(rules, [Option.getOrThrow(ListenAddress.fromString(listen))]),
          rules
        ),
        isThere ? [] : [`us is for the listener ${listener}, and there is none`]
      )
    })
  }

  it("finds the same targets again, however many there are", () => {
    const to = Array.from({ length: 1000 }, (_, i) => `host${i}.example`)
    assert.deepStrictEqual(never({ ...allow, to }, { ...allow, to: "a.b" }, { ...deny, to }), [3])
  })

  it("warns about times that never come", () => {
    assert.deepStrictEqual(never({ ...allow, when: "08:00-08:00" }, allow), [1])
    assert.deepStrictEqual(never({ ...allow, when: ["08:00-08:00", "sat"] }, allow), [])
  })

  it("takes few seconds for very many rules", () => {
    const rules = read(...Array.from({ length: 20_000 }, (_, i) => ({ ...allow, to: `host${i}.example` })))
    assert.deepStrictEqual(RuleLint.unmatched(rules), [])
  })

  it("never warns about a rule that decides a request", () => {
    holds(
      fc.property(
        fc.array(writtenRule, { minLength: 2, maxLength: 6 }),
        asked,
        fc.constantFrom(...hosts),
        port,
        fc.constantFrom(...universe),
        (written, asked, host, port, address) => {
          const rules = read(...written)
          const target = targetOf(`${host}:${port}`)
          for (const where of [target, { host: address, port }]) {
            const decisive = naive(rules, { ...access(asked), target: where }, address)
            if (decisive === -1) continue
            const said = RuleLint.unmatched(rules).map((warning) => warning.split(" never")[0])
            assert.notInclude(said, nameOf(rules[decisive]!, decisive))
          }
        }
      ),
      { numRuns: 150 }
    )
  })

  it("refuses rules about unknown users", () => {
    const rules = read(
      { name: "us", ...allow, users: ["alice", "bbo"], groups: "staff" },
      { ...deny, groups: "gests" }
    )
    assert.deepStrictEqual(
      said(
        (rules) =>
          RuleLint.problems(rules, { users: ["alice", "bob"], groups: new Set(["staff", "guests"]) }),
        rules
      ),
      [
        { path: [0, "users", 1], value: 'user "bbo" of us', expected: "one of the users" },
        { path: [1, "groups", 0], value: 'group "gests" of rule 2', expected: "a group of any user" }
      ]
    )
    assert.deepStrictEqual(
      said((rules) => RuleLint.problems(rules, {}), rules),
      []
    )
    assert.deepStrictEqual(
      said((rules) => RuleLint.problems(rules, { users: [] }), rules),
      [
        { path: [0, "users", 0], value: 'user "alice" of us', expected: "one of the users" },
        { path: [0, "users", 1], value: 'user "bbo" of us', expected: "one of the users" }
      ]
    )
  })
})
