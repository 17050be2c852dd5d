/**
 * Networks of rules, and the addresses that lead there through a tunnel or a
 * translator.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Ruleset from "../../src/policy/Ruleset.ts"
import { access, ip, read, steps } from "../support/rules.ts"

const inside = [
  "64:ff9b::a00:5",
  "64:ff9b:1::a00:5",
  "2002:a00:5::1",
  "2001:0:a00:5::1",
  "::10.0.0.5",
  "::ffff:0:a00:5",
  "2606:4700::5efe:a00:5",
  "2002:5db8:d822:1:0:5efe:a00:5"
]

const rules = (...written: ReadonlyArray<object>) => {
  const list = read(...written)
  return {
    /** Of a target that is the address itself, told or not, and of a name that leads there. */
    verdicts: (address: string) => {
      const literal = { ...access({}), target: { host: ip(address), port: 443 } }
      const { judge } = Ruleset.make(list)
      return [
        judge(literal, undefined, 0).verdict,
        judge(literal, ip(address), 0).verdict,
        judge(access({ to: "a.example:443" }), ip(address), 0).verdict
      ]
    },
    explained: (address: string) =>
      steps(list, access({ to: "a.example:443" }), ip(address), 0).map(({ matches }) => matches)
  }
}

describe("A network in a rule", () => {
  it("that is denied is denied through tunnels and translators", () => {
    const { verdicts, explained } = rules({ deny: true, to: ["10.0.0.0/8", "b.example"] }, { allow: true })
    for (const address of inside) {
      assert.deepStrictEqual(verdicts(address), ["deny", "deny", "deny"], address)
      assert.deepStrictEqual(explained(address), ["yes"], address)
    }
    for (const address of ["64:ff9b::b00:5", "2002:b00:5::1", "2606:4700::1"]) {
      assert.deepStrictEqual(verdicts(address), ["allow", "allow", "allow"], address)
      assert.deepStrictEqual(explained(address), ["no", "yes"], address)
    }
  })

  it("that is denied at some ports is denied there", () => {
    const { verdicts } = rules({ deny: true, to: "10.0.0.0/8:443" }, { allow: true })
    assert.deepStrictEqual(verdicts("64:ff9b::a00:5"), ["deny", "deny", "deny"])
    const other = rules({ deny: true, to: "10.0.0.0/8:80" }, { allow: true })
    assert.deepStrictEqual(other.verdicts("64:ff9b::a00:5"), ["allow", "allow", "allow"])
  })

  it("that is allowed is allowed at its own addresses only", () => {
    const { verdicts, explained } = rules({ allow: true, to: "10.0.0.0/8" })
    for (const address of inside) {
      assert.deepStrictEqual(verdicts(address), ["deny", "deny", "deny"], address)
      assert.deepStrictEqual(explained(address), ["no"], address)
    }
  })

  it("leaves alone what an earlier rule allows", () => {
    const { verdicts } = rules({ allow: true, to: "64:ff9b::/96" }, { deny: true, to: "10.0.0.0/8" })
    assert.deepStrictEqual(verdicts("64:ff9b::a00:5"), ["allow", "allow", "allow"])
  })
})
