/**
 * Whether an access is as a rule wants it, apart from its target.
 */
import * as DateTime from "effect/DateTime"
import * as Calendar from "../config/Calendar.ts"
import type { Rule } from "../config/Rule.ts"
import { absent } from "../config/RuleSymbols.ts"
import { long, type RuleTable, term } from "../config/RuleTable.ts"

/** What is known of an access, and when. */
export interface Known {
  readonly facts: ReadonlyArray<number>
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Of lists in a table of rules, by their numbers. */
export interface RuleTerms {
  /** Whether a fact is in the list. */
  readonly meets: (facts: ReadonlyArray<number>, list: number) => boolean
  /** Whether what is known meets the terms in the list. */
  readonly hold: (list: number, known: Known) => boolean
  /** Whether a port is in one of the ranges in the list. */
  readonly hasPort: (list: number, port: number) => boolean
}

export const make = ({ lists, ascending, times }: RuleTable): RuleTerms => {
  const items = lists.items.items
  const starts = lists.starts.items
  const isTime = times.map(timesIn(new Map()))

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

  return {
    meets,
    hold: (list, { facts, now }) => {
      const start = starts[list]!
      for (let at = start; at < start + term.times; at++) {
        if (items[at] !== absent && !meets(facts, items[at]!)) return false
      }
      const times = items[start + term.times]!
      return times === absent || isTime[times]!(now)
    },
    hasPort: (list, port) => {
      for (let at = starts[list]!; at < starts[list + 1]!; at += 2) {
        if (items[at]! <= port && port <= items[at + 1]!) return true
      }
      return false
    }
  }
}

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

/** With one clock for each time zone. */
const timesIn =
  (clocks: Map<string, Calendar.Clock>) =>
  ({ when, timezone }: Required<Pick<Rule, "when">> & Pick<Rule, "timezone">): ((now: number) => boolean) => {
    const name = timezone ? DateTime.zoneToString(timezone) : "local"
    const clock = clocks.get(name) ?? Calendar.clock(timezone ?? DateTime.zoneMakeLocal())
    clocks.set(name, clock)
    return (now) => {
      const minute = clock(now)
      return when.some((window) => Calendar.isIn(window, minute))
    }
  }
