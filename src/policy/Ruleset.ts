/**
 * Rules made ready to decide: the first that matches, without a look at most of
 * the others. Never changes; a reload makes another.
 */
import type * as NetAddress from "effect/net/NetAddress"
import * as Slices from "../base/Slices.ts"
import { allows, nameOf, type Rule } from "../config/Rule.ts"
import type { Access } from "./Access.ts"
import * as ClauseIndex from "./ClauseIndex.ts"
import { compile, hold, isOneOf } from "./CompiledRule.ts"
import type { Decision } from "./Decision.ts"
import * as PartialEvaluation from "./PartialEvaluation.ts"
import * as RuleSymbols from "./RuleSymbols.ts"

export interface Ruleset {
  /**
   * What the rules have to say of an access at a time, in milliseconds since the epoch. `undecided` while
   * what they say depends on an address, or on a target, that is not known; with both it never is.
   */
  readonly judge: (access: Access, address: NetAddress.IpAddress | undefined, now: number) => Decision
}

export const make = (rules: ReadonlyArray<Rule>): Ruleset => Slices.runSync(making(rules))

/** The same in pieces, of which there are many where there are many rules. */
export function* making(rules: ReadonlyArray<Rule>): Slices.Work<Ruleset> {
  if (rules.length === 0) return { judge: () => ({ verdict: "allow", rule: "no rules" }) }
  const { size, clauses, facts, reached } = yield* RuleSymbols.making(rules)
  const compiled = yield* compile(rules, clauses)
  const index = yield* ClauseIndex.making(
    yield* Slices.map(clauses, ({ of, to }) => (to === undefined ? of : [...of, to])),
    size
  )
  const foresight = yield* PartialEvaluation.making(compiled, size)

  return {
    judge: (access, address, now) => {
      const { target } = access
      const known = { facts: facts(access, address), now }
      // What is denied is denied through a tunnel or a translator too. What is allowed is just what was named.
      const further = reached(access, address)
      const denied = further.length === 0 ? known.facts : [...known.facts, ...further]
      const decisive = index.first(denied, compiled.length, (number) => {
        const { rule, terms, ports, to } = compiled[number]!
        return (
          (ports === undefined || (target !== undefined && isOneOf(ports, target.port))) &&
          (to === undefined || ClauseIndex.meets(allows(rule) ? known.facts : denied, to)) &&
          hold(terms, known)
        )
      })
      const settled =
        address !== undefined || (target !== undefined && typeof target.host !== "string")
          ? decisive
          : foresight.settle(decisive, known, target)
      return settled === undefined ? undecided : decisionOf(compiled[settled]?.rule, settled)
    }
  }
}

/** What one or the other of the rules will say. */
const undecided: Decision = { verdict: "undecided", rule: "rules" }

const decisionOf = (rule: Rule | undefined, number: number): Decision => {
  if (rule === undefined) {
    return { verdict: "deny", rule: "no rule matches", reason: "no rule allows it" }
  }
  return allows(rule)
    ? {
        verdict: "allow",
        rule: nameOf(rule, number),
        ...(rule.limits !== undefined && { limits: rule.limits })
      }
    : {
        verdict: "deny",
        rule: nameOf(rule, number),
        ...(typeof rule.deny === "string" && { reason: rule.deny })
      }
}
