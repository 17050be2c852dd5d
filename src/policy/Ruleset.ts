/**
 * Compiled rules: finds the first rule that matches, and tests few other rules.
 * A ruleset never changes; a reload makes another.
 */
import type * as NetAddress from "effect/net/NetAddress"
import * as Slices from "../base/Slices.ts"
import { nowhere } from "../config/Rule.ts"
import { absent } from "../config/RuleSymbols.ts"
import { allowed, denied, field, type Rules, RuleTable } from "../config/RuleTable.ts"
import * as SymbolIndex from "../config/SymbolIndex.ts"
import type { Access } from "./Access.ts"
import * as ClauseIndex from "./ClauseIndex.ts"
import type { Decision } from "./Decision.ts"
import * as Facts from "./Facts.ts"
import * as PartialEvaluation from "./PartialEvaluation.ts"
import * as RuleTerms from "./RuleTerms.ts"

export interface Ruleset {
  /**
   * The decision of the rules about an access at a time, in milliseconds since the epoch. `undecided` while
   * it depends on a target, or on its address, that is not known; never if both are known.
   */
  readonly judge: (access: Access, address: NetAddress.IpAddress | undefined, now: number) => Decision
}

export const make = (rules: Rules): Ruleset => Slices.runSync(build(rules))

/** Compiles rules in slices. */
export function* build(rules: Rules): Slices.Work<Ruleset> {
  if (rules.length === 0) return { judge: () => ({ verdict: "allow", rule: "no rules" }) }
  const table = yield* RuleTable.of(rules)
  const facts = Facts.make(yield* SymbolIndex.build(table.symbols))
  const index = yield* ClauseIndex.build({
    count: table.length,
    lists: table.lists,
    size: table.symbols.size,
    clausesOf: (rule, visit) => table.clauses(rule, visit)
  })
  const terms = RuleTerms.make(table)
  return ready({ table, facts, index, terms, partial: yield* PartialEvaluation.build(table, terms) })
}

interface Parts {
  readonly table: RuleTable
  readonly facts: Facts.Facts
  readonly index: ClauseIndex.ClauseIndex
  readonly terms: RuleTerms.RuleTerms
  readonly partial: PartialEvaluation.PartialEvaluation
}

/** Separate from `build`, so that the closures keep nothing else of it. */
const ready = ({ table, facts, index, terms, partial }: Parts): Ruleset => ({
  judge: (access, address, now) => {
    const known = facts(access, address, now)
    const decisive = index.first(known.reached, table.length, (rule) => terms.ruleHolds(rule, known))
    const settled = known.hasAddress ? decisive : partial.decide(decisive, known)
    return settled === undefined ? undecidedBefore(table, decisive) : decisionOf(table, settled)
  }
})

/** The decision if a target or an address is needed that is not known yet, where this rule is the first that is certain. */
const undecidedBefore = (table: RuleTable, certain: number): Decision => {
  const route = certain === table.length ? absent : table.get(certain, field.route)
  return route === absent ? undecided : { ...undecided, route: table.labels.text(route) }
}

const undecided: Decision = { verdict: "undecided", rule: "rules" }

const decisionOf = (table: RuleTable, rule: number): Decision => {
  if (rule === table.length) {
    return { verdict: "deny", rule: "no rule matches", reason: "no rule allows it" }
  }
  const verdict = table.get(rule, field.verdict)
  const name = table.nameOf(rule)
  if (verdict === denied) {
    return table.leadsNowhere(rule)
      ? { verdict: "deny", rule: name, reason: `its route is ${nowhere}`, route: nowhere }
      : { verdict: "deny", rule: name }
  }
  if (verdict !== allowed) return { verdict: "deny", rule: name, reason: table.labels.text(verdict) }
  const limits = table.get(rule, field.limits)
  const route = table.get(rule, field.route)
  return {
    ...{ verdict: "allow", rule: name },
    ...(limits !== absent && { limits: table.limits[limits]! }),
    ...(route !== absent && { route: table.labels.text(route) })
  }
}
