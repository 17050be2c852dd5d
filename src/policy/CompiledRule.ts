/**
 * Rules made ready to be compared with what is known of an access.
 */
import * as DateTime from "effect/DateTime"
import * as Slices from "../base/Slices.ts"
import * as Calendar from "../config/Calendar.ts"
import type { PortRange } from "../config/Parsers.ts"
import type { Rule } from "../config/Rule.ts"
import * as TimeWindow from "../config/TimeWindow.ts"
import { meets } from "./ClauseIndex.ts"
import type { Clause, RuleSymbols } from "./RuleSymbols.ts"

/** What a rule asks for apart from its target. Rules that ask for the same share one. */
export interface CompiledRule {
  readonly clauses: ReadonlyArray<Clause>
  /** Whether a moment is one of those it is for. */
  readonly isTime: (now: number) => boolean
}

/** A rule made ready. */
export interface Compiled {
  readonly rule: Rule
  readonly terms: CompiledRule
  /** Of which one has to have the port. */
  readonly ports: ReadonlyArray<PortRange> | undefined
  /** Of which one has to be a fact. */
  readonly to: Clause | undefined
}

/** What is known of an access, and when. */
export interface Known {
  readonly facts: ReadonlyArray<number>
  /** Milliseconds since the epoch. */
  readonly now: number
}

export function* compile(
  rules: ReadonlyArray<Rule>,
  clauses: RuleSymbols["clauses"]
): Slices.Work<ReadonlyArray<Compiled>> {
  const shared = new Map<string, CompiledRule>()
  const timeOf = times()
  return yield* Slices.map(rules, (rule, number): Compiled => {
    const { of, to } = clauses[number]!
    const isBare = of.length === 0 && rule.when === undefined
    const key = isBare
      ? " "
      : `${of.map((clause) => Array.prototype.join.call(clause, ",")).join(" ")} ${timeText(rule)}`
    let terms = shared.get(key)
    if (terms === undefined) {
      terms = { clauses: of, isTime: timeOf(rule) }
      shared.set(key, terms)
    }
    return { rule, terms, ports: rule.ports, to }
  })
}

/** Whether what is known meets the terms. */
export const hold = ({ clauses, isTime }: CompiledRule, { facts, now }: Known): boolean => {
  for (let i = 0; i < clauses.length; i++) if (!meets(facts, clauses[i]!)) return false
  return isTime(now)
}

export const isOneOf = (ports: ReadonlyArray<PortRange>, port: number): boolean => {
  for (let i = 0; i < ports.length; i++) if (ports[i]![0] <= port && port <= ports[i]![1]) return true
  return false
}

const timeText = ({ when, timezone }: Rule): string =>
  when === undefined
    ? ""
    : `${when.map(TimeWindow.format).join(";")} ${timezone ? DateTime.zoneToString(timezone) : ""}`

/** With one clock for each time zone. */
const times = () => {
  const clocks = new Map<string, Calendar.Clock>()
  const clockOf = (timezone: Rule["timezone"]): Calendar.Clock => {
    const name = timezone ? DateTime.zoneToString(timezone) : "local"
    const clock = clocks.get(name) ?? Calendar.clock(timezone ?? DateTime.zoneMakeLocal())
    clocks.set(name, clock)
    return clock
  }
  return ({ when, timezone }: Rule): CompiledRule["isTime"] => {
    if (when === undefined) return always
    const clock = clockOf(timezone)
    return (now) => {
      const minute = clock(now)
      return when.some((window) => Calendar.isIn(window, minute))
    }
  }
}

const always = () => true
