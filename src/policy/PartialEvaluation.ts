/**
 * What rules will say whatever the address turns out to be, or whatever the
 * target: a denial that is certain needs no name looked up.
 */

import * as Slices from "../base/Slices.ts"
import type { PortRange } from "../config/Parsers.ts"
import { allows } from "../config/Rule.ts"
import type { Target } from "../wire/Target.ts"
import * as CidrCover from "./CidrCover.ts"
import * as ClauseIndex from "./ClauseIndex.ts"
import { type Compiled, type CompiledRule, hold, isOneOf, type Known } from "./CompiledRule.ts"

export interface PartialEvaluation {
  /**
   * Which rule decides, given the first that matches for certain and a target whose address is not known, or
   * none. If all that can match deny, the one that matches for certain. Nothing if it depends.
   */
  readonly settle: (first: number, known: Known, target: Target | undefined) => number | undefined
}

/** Rules that may match, by what they ask for apart from the unknown. */
interface Group {
  readonly terms: CompiledRule
  /** The port has to be in one of each. */
  readonly ports: ReadonlyArray<ReadonlyArray<PortRange>>
  /** Ascending. */
  readonly allowing: Array<number>
  readonly denying: Array<number>
}

/** More networks than this are not compared with one another; then it depends. */
const most = 64

export function* making(rules: ReadonlyArray<Compiled>, size: number): Slices.Work<PartialEvaluation> {
  const withoutAddress = yield* groupsOf(rules, size, networkPortsOf)
  const withoutTarget = yield* groupsOf(rules, size, ({ to, ports }) =>
    (to === undefined && ports === undefined) || to?.length === 0 ? [] : always
  )

  const isDenied = (number: number) => !allows(rules[number]?.rule)

  /** Which of the rules that may match decides, if there is but one, or all deny. */
  const reachable = (numbers: Iterable<number>, first: number, { port }: Target): number | undefined => {
    const covered: Array<CidrCover.Block> = []
    let decisive: number | undefined
    const isOnly = (number: number) => {
      const isSame = decisive === undefined || (isDenied(decisive) && isDenied(number))
      decisive = number
      return isSame
    }
    for (const number of numbers) {
      const { to = [] } = rules[number]!.rule
      if (to.length + covered.length > most) return undefined
      const blocks = to.flatMap(({ host, ports }) =>
        host._tag === "Network" && (ports === undefined || isOneOf([ports], port))
          ? [CidrCover.blockOf(host.network)]
          : []
      )
      if (blocks.some((block) => !CidrCover.covers(covered, block)) && !isOnly(number)) return undefined
      covered.push(...blocks)
    }
    const isLeft = CidrCover.everything.some((block) => !CidrCover.covers(covered, block))
    return isLeft && !isOnly(first) ? undefined : decisive
  }

  return {
    settle: (first, known, target) => {
      const { groups, index } = target === undefined ? withoutTarget : withoutAddress
      const isMet = ({ terms, ports }: Group) =>
        (target === undefined || ports.every((ranges) => isOneOf(ranges, target.port))) && hold(terms, known)
      const isCertain = isDenied(first)
      const differs = index.first(known.facts, groups.length, (at) => {
        const { allowing, denying } = groups[at]!
        const isBefore = allowing[0]! < first || (!isCertain && denying[0]! < first)
        return isBefore && isMet(groups[at]!)
      })
      if (differs === groups.length) return first
      if (target === undefined) return undefined

      const numbers = new Set<number>()
      index.first(known.facts, groups.length, (at) => {
        if (numbers.size > most || !isMet(groups[at]!)) return false
        for (const list of [groups[at]!.allowing, groups[at]!.denying]) {
          for (let i = 0; list[i]! < first && numbers.size <= most; i++) numbers.add(list[i]!)
        }
        return false
      })
      return numbers.size > most
        ? undefined
        : reachable(
            [...numbers].sort((a, b) => a - b),
            first,
            target
          )
    }
  }
}

/** The rules in groups; `portsOf` has the port ranges with which a rule may match, of several each in turn. */
function* groupsOf(
  rules: ReadonlyArray<Compiled>,
  size: number,
  portsOf: (rule: Compiled) => ReadonlyArray<Group["ports"]>
): Slices.Work<{ readonly groups: ReadonlyArray<Group>; readonly index: ClauseIndex.ClauseIndex }> {
  const byTerms = new Map<CompiledRule, Map<string, Group>>()
  yield* Slices.each(rules, (compiled, number) => {
    const { rule, terms } = compiled
    for (const ports of portsOf(compiled)) {
      const byPorts = byTerms.get(terms) ?? new Map<string, Group>()
      byTerms.set(terms, byPorts)
      const key = ports.join(" ")
      const group = byPorts.get(key) ?? { terms, ports, allowing: [], denying: [] }
      byPorts.set(key, group)
      const list = allows(rule) ? group.allowing : group.denying
      if (list.at(-1) !== number) list.push(number)
    }
  })
  const groups = [...byTerms.values()].flatMap((byPorts) => [...byPorts.values()])
  return {
    groups,
    index: yield* ClauseIndex.making(
      groups.map(({ terms }) => terms.clauses),
      size
    )
  }
}

const always: ReadonlyArray<Group["ports"]> = [[]]

const networkPortsOf = ({ rule, ports, to }: Compiled): ReadonlyArray<Group["ports"]> => {
  if (to === undefined || !rule.to?.some(({ host }) => host._tag === "Network")) return []
  const own = ports === undefined ? [] : [ports]
  const distinct = new Map<string, PortRange | undefined>()
  for (const { host, ports } of rule.to ?? []) {
    if (host._tag === "Network") distinct.set(ports === undefined ? "" : String(ports), ports)
  }
  return [...distinct.values()].map((range) => (range === undefined ? own : [...own, [range]]))
}
