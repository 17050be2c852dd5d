/**
 * The reason for a decision: each rule in turn, with the condition that does not hold,
 * up to the rule that decides. For the command `explain` and the admin API; it looks at every rule, in slices.
 */
import type * as NetAddress from "effect/net/NetAddress"
import type * as Slices from "../base/Slices.ts"
import * as Conditions from "../config/Conditions.ts"
import { allowed, field, type Rules, RuleTable } from "../config/RuleTable.ts"
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

/** The steps up to the first rule that matches: the last of them, and how many others are before. */
export interface Steps {
  readonly last: ReadonlyArray<Step>
  readonly before: number
  /** Of those before, the number of rules that may match. */
  readonly maybeBefore: number
}

/** The steps of an access to an address. `now` is in milliseconds since the epoch. */
export type Explainer = (
  access: Access,
  address: NetAddress.IpAddress | undefined,
  now: number
) => Slices.Work<Steps>

/** Explains the decisions of rules, by so many steps at most. */
export function* make(rules: Rules, most: number): Slices.Work<Explainer> {
  const table = yield* RuleTable.of(rules)
  const facts = Facts.make(yield* SymbolIndex.build(table.symbols))
  const terms = RuleTerms.make(table)

  const evaluate = (index: number, known: Facts.Known): Evaluated => {
    let maybe: Conditions.Key | undefined
    for (const [key] of Conditions.list) {
      const holds = terms.evaluate(index, key, known)
      if (holds === "no") return { index, matches: "no", key }
      if (holds === "maybe") maybe ??= key
    }
    return maybe === undefined ? { index, matches: "yes" } : { index, matches: "maybe", key: maybe }
  }

  return function* (access, address, now) {
    const known = facts(access, address, now)
    const last: Array<Evaluated> = []
    let [before, maybeBefore] = [0, 0]
    for (let index = 0; index < table.length; index++) {
      const evaluated = evaluate(index, known)
      last.push(evaluated)
      if (last.length > most) {
        before++
        if (last.shift()?.matches === "maybe") maybeBefore++
      }
      if (evaluated.matches === "yes") break
      if ((index & 63) === 63) yield
    }
    return { last: last.map((evaluated) => stepOf(table, evaluated)), before, maybeBefore }
  }
}

/** A rule that was looked at, and the condition that decides whether it matches. */
interface Evaluated {
  readonly index: number
  readonly matches: Step["matches"]
  readonly key?: Conditions.Key
}

const stepOf = (table: RuleTable, { index, matches, key }: Evaluated): Step => ({
  rule: table.nameOf(index),
  verdict: table.get(index, field.verdict) === allowed ? "allow" : "deny",
  matches,
  ...(key && { condition: conditionOf(table, index, key) })
})

/** A condition as in a config file: the first few of its values, and the number of the others. */
const conditionOf = (table: RuleTable, index: number, key: Conditions.Key): string => {
  const [, { format }] = Conditions.list.find(([other]) => other === key)!
  const { first, count } = table.firstValues(index, key, 5)
  const texts = (count > 5 ? first.slice(0, 4) : first).map(format)
  return `${key}: ${texts.join(", ")}${count > 5 ? ` and ${count - 4} more` : ""}`
}
