/**
 * That rules go by whatever conditions there are: one more, about the address of the target, is judged, explained and
 * kept by what its file says. It takes the place of `ports` here, and no network has its addresses.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type * as NetAddress from "effect/net/NetAddress"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { wordsOf } from "../../src/base/PrefixTree.ts"
import * as Slices from "../../src/base/Slices.ts"
import * as Conditions from "../../src/config/Conditions.ts"
import * as Condition from "../../src/config/conditions/Condition.ts"
import * as Rule from "../../src/config/Rule.ts"
import { RuleTable } from "../../src/config/RuleTable.ts"
import * as Ruleset from "../../src/policy/Ruleset.ts"
import { holds } from "../support/property.ts"
import { access, hosts, ip, read, steps } from "../support/rules.ts"

const parityOf = (address: NetAddress.IpAddress): "even" | "odd" =>
  Array.from(wordsOf(address)).at(-1)! % 2 === 0 ? "even" : "odd"

const kind = "parity"

const parity = Condition.make({
  item: Schema.Literals(["even", "odd"]),
  description: "Whether the last byte of the address is even",
  format: String,
  term: {
    about: "target",
    numberOf: (parity, symbols) => symbols.intern(kind, parity),
    valueOf: (number, symbols) => symbols.textOf(number) as "even" | "odd",
    facts: (index) => {
      const parities = index.of(kind)
      return (
        parities &&
        ((_, address, found) => {
          const number = address === undefined ? -1 : parities.find(parityOf(address))
          if (number !== -1) found.push(number)
        })
      )
    },
    isByAddress: () => true
  },
  includes: Condition.equal
})

const entry = Conditions.list.find(([key]) => key === "ports")! as [string, unknown]
const [, ports] = entry

beforeAll(() => {
  entry[1] = parity
})

afterAll(() => {
  entry[1] = ports
})

/** Rules as they are written, but for the condition that no schema knows. */
const rulesOf = (...written: ReadonlyArray<object>) =>
  written.map((one): Rule.Rule => {
    const { parity, ...rest } = one as { readonly parity?: string | ReadonlyArray<string> }
    const [rule] = read(rest)
    return { ...rule, ...(parity ? { ports: [parity].flat() as never } : {}) }
  })

const networks = ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0"]

/** Addresses of each parity in each of the networks. */
const universe = ["1.0.0.1", "1.0.0.2", "129.0.0.1", "129.0.0.2", "1::1", "1::2"].map(ip)

const some = (...values: ReadonlyArray<string>) =>
  fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: 2 })

const rules = fc
  .array(
    fc
      .tuple(
        fc.constantFrom({ allow: true }, { deny: true }),
        fc.record(
          {
            to: some(...networks, "*.example", "a.example", "*", "10.0.0.0/8:25"),
            parity: some("even", "odd")
          },
          { requiredKeys: [] }
        )
      )
      .map(([verdict, conditions]) => ({ ...verdict, ...conditions })),
    { minLength: 1, maxLength: 6 }
  )
  .map((written) => rulesOf(...written))

/** The first rule that matches, of which `to` is judged alone. */
const naive = (
  list: ReadonlyArray<Rule.Rule>,
  asks: ReturnType<typeof access>,
  address: NetAddress.IpAddress
) =>
  list.find((rule) => {
    const { ports, ...rest } = rule
    const parities = ports as unknown as ReadonlyArray<string> | undefined
    const isParity = parities?.includes(parityOf(address)) ?? true
    return isParity && Ruleset.make([{ ...rest, name: "it" }]).judge(asks, address, 0).rule === "it"
  })

describe("an additional condition", () => {
  it("decides with the others, and leaves a request undecided that depends on the address", () => {
    holds(
      fc.property(rules, fc.constantFrom(...hosts), (list, host) => {
        const named = list.map((rule, index) => ({ ...rule, name: `rule ${index + 1}` }))
        const asks = access({ to: `${host}:443` })
        const { judge } = Ruleset.make(named)
        const outcomes = universe.map((address) => naive(named, asks, address))
        for (const [index, address] of universe.entries()) {
          const { verdict, rule } = judge(asks, address, 0)
          assert.strictEqual(rule, outcomes[index]?.name ?? "no rule matches")
          assert.strictEqual(verdict, Rule.allows(outcomes[index]) ? "allow" : "deny")
        }
        const { verdict, rule } = judge(asks, undefined, 0)
        if (verdict === "deny") assert.isFalse(outcomes.some(Rule.allows))
        if (verdict === "allow")
          assert.deepStrictEqual(new Set(outcomes.map((it) => it?.name)), new Set([rule]))
        const before = judge({ ...asks, target: undefined }, undefined, 0)
        if (before.verdict === "deny") assert.isFalse(outcomes.some(Rule.allows))
        if (before.verdict === "allow") assert.isTrue(outcomes.every(Rule.allows))
      }),
      { numRuns: 200 }
    )
  })

  it("does not leave a certain denial undecided", () => {
    const asks = access({ to: "a.example:443" })
    const verdictOf = (...written: ReadonlyArray<object>) =>
      Ruleset.make(rulesOf(...written)).judge(asks, undefined, 0).verdict
    assert.strictEqual(verdictOf({ deny: true, parity: "even" }, { deny: true, to: "a.example" }), "deny")
    assert.strictEqual(verdictOf({ allow: true, parity: "even" }, { deny: true }), "undecided")
    assert.strictEqual(verdictOf({ allow: true, parity: "even" }, { allow: true }), "undecided")
  })

  it("is explained, and is kept in a table", () => {
    const list = rulesOf({ deny: true, to: "10.0.0.0/8", parity: "odd" }, { allow: true })
    assert.deepStrictEqual([...Slices.runSync(RuleTable.of(list))], list)
    const first = (address?: string) =>
      steps(list, access({ to: "a.example:443" }), address === undefined ? undefined : ip(address), 0)[0]
    assert.deepInclude(first(), { matches: "maybe", condition: "to: 10.0.0.0/8" })
    assert.deepInclude(first("10.0.0.2"), { matches: "no", condition: "ports: odd" })
    assert.deepInclude(first("10.0.0.1"), { matches: "yes" })
  })
})
