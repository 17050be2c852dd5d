/**
 * That looking at few rules finds the same as looking at all, and that what is
 * said before an address is known holds for every address.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as fc from "fast-check"
import { allows, nameOf } from "../../src/config/Rule.ts"
import * as Ruleset from "../../src/policy/Ruleset.ts"
import { holds } from "../support/property.ts"
import { access, asked, hosts, naive, port, read, targetOf, universe, writtenRule } from "../support/rules.ts"

const rules = fc.array(writtenRule, { minLength: 1, maxLength: 8 })

const expectation = (list: ReturnType<typeof read>, number: number) =>
  number === -1
    ? { verdict: "deny", rule: "no rule matches" }
    : { verdict: allows(list[number]) ? "allow" : "deny", rule: nameOf(list[number]!, number) }

describe("Ruleset, compared with a scan of the rules", () => {
  it("finds the first matching rule of a name and an address", () => {
    holds(
      fc.property(
        rules,
        asked,
        fc.constantFrom(...hosts),
        port,
        fc.constantFrom(...universe),
        (written, asked, host, port, address) => {
          const list = read(...written)
          const asks = access({ ...asked, to: `${host}:${port}` })
          const { verdict, rule } = Ruleset.make(list).judge(asks, address, 0)
          const expected = naive(list, { ...asks, target: targetOf(`${host}:${port}`) }, address)
          assert.deepStrictEqual({ verdict, rule }, expectation(list, expected) as never)
        }
      ),
      { numRuns: 200 }
    )
  })

  it("finds the first matching rule of an address alone, with or without it", () => {
    holds(
      fc.property(rules, asked, port, fc.constantFrom(...universe), (written, asked, port, host) => {
        const list = read(...written)
        const asks = { ...access(asked), target: { host, port } }
        const { judge } = Ruleset.make(list)
        const { verdict, rule } = judge(asks, undefined, 0)
        assert.deepStrictEqual({ verdict, rule }, expectation(list, naive(list, asks, host)) as never)
        assert.deepStrictEqual(judge(asks, host, 0), judge(asks, undefined, 0))
      }),
      { numRuns: 200 }
    )
  })

  it("decides about a name only what holds for every address", () => {
    holds(
      fc.property(rules, asked, fc.constantFrom(...hosts), port, (written, asked, host, port) => {
        const list = read(...written)
        const target = targetOf(`${host}:${port}`)
        const asks = { ...access(asked), target }
        const outcomes = new Set(universe.map((address) => naive(list, asks, address)))
        const isDenied = [...outcomes].every((number) => !allows(list[number]))
        const { verdict, rule } = Ruleset.make(list).judge(asks, undefined, 0)
        if (isDenied) assert.strictEqual(verdict, "deny")
        else assert.strictEqual(verdict, outcomes.size === 1 ? "allow" : "undecided")
        if (verdict === "allow") assert.strictEqual(rule, expectation(list, [...outcomes][0]!).rule)
      }),
      { numRuns: 300 }
    )
  })

  it("decides without a target only what holds for every target", () => {
    holds(
      fc.property(rules, asked, (written, asked) => {
        const list = read(...written)
        const asks = { ...access({ ...asked, command: "ASSOCIATE" }), target: undefined }
        const { verdict, rule } = Ruleset.make(list).judge(asks, undefined, 0)
        if (verdict === "undecided") return
        const named = [...hosts.map((host) => targetOf(host).host), ...universe]
        for (const host of named) {
          for (const port of [25, 80, 443, 8080]) {
            const addresses = NetAddress.isIpAddress(host) ? [host] : universe
            for (const address of addresses) {
              const number = naive(list, { ...asks, target: { host, port } }, address)
              if (verdict === "deny") assert.isFalse(allows(list[number]))
              else assert.strictEqual(expectation(list, number).rule, rule)
            }
          }
        }
      })
    )
  })
})
