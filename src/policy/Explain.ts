/**
 * The reason for a decision: each rule in turn, with the condition that does not hold,
 * up to the rule that decides. For the command `explain`; it looks at every rule.
 */
import type * as NetAddress from "effect/net/NetAddress"
import * as Slices from "../base/Slices.ts"
import * as Conditions from "../config/Conditions.ts"
import { allows, nameOf, type Rule } from "../config/Rule.ts"
import { type Rules, RuleTable } from "../config/RuleTable.ts"
import * as SymbolIndex from "../config/SymbolIndex.ts"
import type { Access } from "./Access.ts"
import * as Facts from "./Facts.ts"
import * as RuleTerms from "./RuleTerms.ts"

/** A rule, and whether it matches. */
export interface Step {
  readonly rule: string
  readonly verdict: "allow" | "deny"
  /** `maybe`: depends on an address or a target that is not known. */
  readonly matches: "yes" | "no" | "maybe"
  /** The first condition that does not hold, or that may not hold. */
  readonly condition?: string
}

/** The steps up to the first rule that matches. `now` is in milliseconds since the epoch. */
export const explain = (
  rules: Rules,
  access: Access,
  address: NetAddress.IpAddress | undefined,
  now: number
): ReadonlyArray<Step> => {
  const table = Slices.runSync(RuleTable.of(rules))
  const known = Facts.make(Slices.runSync(SymbolIndex.build(table.symbols)))(access, address, now)
  const terms = RuleTerms.make(table)
  const steps: Array<Step> = []
  let index = 0
  for (const rule of table) {
    const answers = Conditions.list.map(([key]) => ({ key, holds: terms.evaluate(index, key, known) }))
    const decisive =
      answers.find(({ holds }) => holds === "no") ?? answers.find(({ holds }) => holds === "maybe")
    steps.push({
      rule: nameOf(rule, index),
      verdict: allows(rule) ? "allow" : "deny",
      matches: decisive?.holds ?? "yes",
      ...(decisive && { condition: conditionOf(rule, decisive.key) })
    })
    if (decisive === undefined) break
    index++
  }
  return steps
}

/** A condition as in a config file. */
const conditionOf = (rule: Rule, key: Conditions.Key): string => {
  const [, { format }] = Conditions.list.find(([other]) => other === key)!
  return `${key}: ${listed((rule[key] ?? []).map(format))}`
}

/** The first few texts, and the number of the others. */
const listed = (texts: ReadonlyArray<string>): string =>
  texts.length > 5 ? `${texts.slice(0, 4).join(", ")} and ${texts.length - 4} more` : texts.join(", ")
