/**
 * Whether the conditions of a rule hold.
 */
import type { Key } from "../config/Conditions.ts"
import { absent, isIn } from "../config/RuleSymbols.ts"
import { allowed, field, long, ofRequest, ofTarget, placeOf, type RuleTable } from "../config/RuleTable.ts"
import type { Known } from "./Facts.ts"

/** Evaluates the rules of a table. Rules and lists are given by their numbers. */
export interface RuleTerms {
  /** Whether all conditions of a rule hold for certain. */
  readonly ruleHolds: (rule: number, known: Known) => boolean
  /** Whether the conditions about the request hold, of the terms of rules. */
  readonly requestHolds: (terms: number, known: Known) => boolean
  /** Whether a value of the list is true for the condition of `ofTarget`. False if the target is not known. */
  readonly targetHolds: (
    condition: number,
    list: number,
    facts: ReadonlyArray<number>,
    known: Known
  ) => boolean
  /** Whether a condition of a rule holds. `maybe`: depends on a target or an address that is not known. */
  readonly evaluate: (rule: number, key: Key, known: Known) => "yes" | "no" | "maybe"
}

export const make = (table: RuleTable): RuleTerms => {
  const { lists, ascending, symbols } = table
  const items = lists.items.items
  const starts = lists.starts.items
  const testsOf = (conditions: typeof ofRequest) =>
    conditions.map(([, { term }]) => ("test" in term ? term.test(symbols) : undefined))
  const requestTests = testsOf(ofRequest)
  const targetTests = testsOf(ofTarget)

  const meets = (facts: ReadonlyArray<number>, list: number): boolean => {
    let start = starts[list]!
    let end = starts[list + 1]!
    if (end - start <= long) {
      for (let i = 0; i < facts.length; i++) {
        for (let at = start; at < end; at++) if (items[at] === facts[i]) return true
      }
      return false
    }
    const sorted = ascending.get(list)
    if (sorted !== undefined) {
      start = starts[sorted]!
      end = starts[sorted + 1]!
    }
    for (let i = 0; i < facts.length; i++) if (contains(items, start, end, facts[i]!)) return true
    return false
  }

  const holds = (
    test: (typeof targetTests)[number],
    list: number,
    facts: ReadonlyArray<number>,
    { access, now }: Known
  ): boolean => {
    if (test === undefined) return meets(facts, list)
    for (let at = starts[list]!; at < starts[list + 1]!; at++) if (test(items[at]!, access, now)) return true
    return false
  }

  const requestHolds = (terms: number, known: Known): boolean => {
    const start = starts[terms]!
    for (let i = 0; i < requestTests.length; i++) {
      const list = items[start + i]!
      if (list >= 0 && !holds(requestTests[i], list, known.facts, known)) return false
    }
    return true
  }

  const targetHolds: RuleTerms["targetHolds"] = (condition, list, facts, known) =>
    holds(targetTests[condition], list, facts, known)

  /** A rule that denies also matches the addresses embedded in the target's address. A rule that allows does not. */
  const factsFor = (rule: number, { facts, reached }: Known) =>
    table.get(rule, field.verdict) === allowed ? facts : reached

  return {
    ruleHolds: (rule, known) => {
      const facts = factsFor(rule, known)
      for (let i = 0; i < targetTests.length; i++) {
        const list = table.get(rule, field.target + i)
        if (list >= 0 && !targetHolds(i, list, facts, known)) return false
      }
      return requestHolds(table.get(rule, field.terms), known)
    },
    requestHolds,
    targetHolds,
    evaluate: (rule, key, known) => {
      const list = table.judged(rule, key)
      if (list === absent) return "yes"
      const { about, at } = placeOf(key)
      if (about === "request") return holds(requestTests[at], list, known.facts, known) ? "yes" : "no"
      if (targetHolds(at, list, factsFor(rule, known), known)) return "yes"
      const { target } = known.access
      if (target === undefined) return lists.length(list) > 0 ? "maybe" : "no"
      if (known.hasAddress) return "no"
      return openPorts(table, at, list).some((range) => isIn(range, target.port)) ? "maybe" : "no"
    }
  }
}

/** The ranges of ports at which a condition of `ofTarget` depends on the address; empty for most conditions. */
export const openPorts = (
  { lists, symbols }: RuleTable,
  condition: number,
  list: number
): ReadonlyArray<number> => {
  const { term } = ofTarget[condition]![1]
  if (!("facts" in term) || term.isByAddress === undefined) return none
  let ranges: Set<number> | undefined
  for (let at = 0; at < lists.length(list); at++) {
    const number = lists.item(list, at)
    if (term.isByAddress(number, symbols)) {
      ranges ??= new Set()
      ranges.add(symbols.portsOf(number))
    }
  }
  return ranges ? Array.from(ranges) : none
}

const none: ReadonlyArray<number> = []

/** Whether a number is among those that ascend from one place to another. */
const contains = (items: Int32Array, start: number, end: number, number: number): boolean => {
  let low = start
  let high = end
  while (low < high) {
    const middle = (low + high) >>> 1
    if (items[middle]! < number) low = middle + 1
    else high = middle
  }
  return low < end && items[low] === number
}
