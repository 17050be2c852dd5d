/**
 * Rules made ready to decide: the first that matches, without a look at most of
 * the others. Never changes; a reload makes another.
 */
import type * as NetAddress from "effect/net/NetAddress"
import * as Slices from "../base/Slices.ts"
import { absent } from "../config/RuleSymbols.ts"
import { allowed, denied, field, type Rules, RuleTable } from "../config/RuleTable.ts"
import type { Access } from "./Access.ts"
import * as ClauseIndex from "./ClauseIndex.ts"
import type { Decision } from "./Decision.ts"
import * as Facts from "./Facts.ts"
import * as PartialEvaluation from "./PartialEvaluation.ts"
import * as RuleTerms from "./RuleTerms.ts"

export interface Ruleset {
  /**
   * What the rules have to say of an access at a time, in milliseconds since the epoch. `undecided` while
   * what they say depends on an address, or on a target, that is not known; with both it never is.
   */
  readonly judge: (access: Access, address: NetAddress.IpAddress | undefined, now: number) => Decision
}

export const make = (rules: Rules): Ruleset => Slices.runSync(making(rules))

/** The same in pieces, of which there are many where there are many rules. */
export function* making(rules: Rules): Slices.Work<Ruleset> {
  if (rules.length === 0) return { judge: () => ({ verdict: "allow", rule: "no rules" }) }
  const table = yield* RuleTable.of(rules)
  const facts = yield* Facts.making(table.symbols)
  const index = yield* ClauseIndex.making({
    count: table.length,
    lists: table.lists,
    size: table.symbols.size,
    clausesOf: (rule, visit) => {
      table.clauses(table.get(rule, field.terms), visit)
      const target = table.get(rule, field.target)
      if (target !== absent) visit(target)
    }
  })
  const terms = RuleTerms.make(table)
  return ready({ table, facts, index, terms, foresight: yield* PartialEvaluation.making(table, terms) })
}

interface Parts {
  readonly table: RuleTable
  readonly facts: Facts.Facts
  readonly index: ClauseIndex.ClauseIndex
  readonly terms: RuleTerms.RuleTerms
  readonly foresight: PartialEvaluation.PartialEvaluation
}

/** Apart from where they are made, so that nothing else of that is kept. */
const ready = ({ table, facts, index, terms, foresight }: Parts): Ruleset => ({
  judge: (access, address, now) => {
    const { target } = access
    const known = { facts: facts.of(access, address), now }
    // What is denied is denied through a tunnel or a translator too. What is allowed is just what was named.
    const further = facts.reached(access, address)
    const all = further.length === 0 ? known.facts : [...known.facts, ...further]
    const decisive = index.first(all, table.length, (rule) => {
      const ports = table.get(rule, field.ports)
      if (ports !== absent && (target === undefined || !terms.hasPort(ports, target.port))) return false
      const to = table.get(rule, field.target)
      const reached = table.get(rule, field.verdict) === allowed ? known.facts : all
      return (to === absent || terms.meets(reached, to)) && terms.hold(table.get(rule, field.terms), known)
    })
    const settled =
      address !== undefined || (target !== undefined && typeof target.host !== "string")
        ? decisive
        : foresight.settle(decisive, known, target)
    return settled === undefined ? undecided : decisionOf(table, settled)
  }
})

/** What one or the other of the rules will say. */
const undecided: Decision = { verdict: "undecided", rule: "rules" }

const decisionOf = (table: RuleTable, rule: number): Decision => {
  if (rule === table.length) {
    return { verdict: "deny", rule: "no rule matches", reason: "no rule allows it" }
  }
  const verdict = table.get(rule, field.verdict)
  const name = table.nameOf(rule)
  if (verdict === denied) return { verdict: "deny", rule: name }
  if (verdict !== allowed) return { verdict: "deny", rule: name, reason: table.labels.text(verdict) }
  const limits = table.get(rule, field.limits)
  return { verdict: "allow", rule: name, ...(limits !== absent && { limits: table.limits[limits]! }) }
}
