/**
 * What rules will say whatever the address turns out to be, or whatever the
 * target: a denial that is certain needs no name looked up.
 */
import { Ints } from "../base/Ints.ts"
import { ListTable } from "../base/ListTable.ts"
import * as Slices from "../base/Slices.ts"
import { absent, allPorts, isIn } from "../config/RuleSymbols.ts"
import { allowed, field, type RuleTable } from "../config/RuleTable.ts"
import type { Target } from "../wire/Target.ts"
import * as CidrCover from "./CidrCover.ts"
import * as ClauseIndex from "./ClauseIndex.ts"
import type { Known, RuleTerms } from "./RuleTerms.ts"

export interface PartialEvaluation {
  /**
   * Which rule decides, given the first that matches for certain and a target whose address is not known, or
   * none. If all that can match deny, the one that matches for certain. Nothing if it depends.
   */
  readonly settle: (first: number, known: Known, target: Target | undefined) => number | undefined
}

/** Rules that may match, in groups by what they ask for apart from the unknown. */
interface Groups {
  readonly count: number
  /** What those of a group ask for. */
  readonly isMet: (group: number, known: Known, target: Target | undefined) => boolean
  /** The first rule of a group that allows, or denies; `Infinity` if there is none. */
  readonly first: (group: number, isAllowing: boolean) => number
  /** Calls this with each rule of a group, those that allow first, each part ascending, until it says no. */
  readonly forEach: (group: number, visit: (rule: number) => boolean) => void
  readonly index: ClauseIndex.ClauseIndex
}

/** More networks than this are not compared with one another; then it depends. */
const most = 64

export function* making(table: RuleTable, terms: RuleTerms): Slices.Work<PartialEvaluation> {
  const withoutAddress = yield* groupsOf(table, terms, networkPorts(table))
  const withoutTarget = yield* groupsOf(table, terms, (rule, visit) => {
    const target = table.get(rule, field.target)
    const isMade =
      target === absent ? table.get(rule, field.ports) !== absent : table.lists.length(target) > 0
    if (isMade) visit(absent, allPorts)
  })
  return ready(table, withoutAddress, withoutTarget)
}

/** Apart from where they are made, so that nothing else of that is kept. */
const ready = (table: RuleTable, withoutAddress: Groups, withoutTarget: Groups): PartialEvaluation => {
  const { symbols } = table
  const isDenied = (rule: number) => rule >= table.length || table.get(rule, field.verdict) !== allowed

  /** Which of the rules that may match decides, if there is but one, or all deny. */
  const reachable = (rules: Iterable<number>, first: number, { port }: Target): number | undefined => {
    const covered: Array<CidrCover.Block> = []
    let decisive: number | undefined
    const isOnly = (rule: number) => {
      const isSame = decisive === undefined || (isDenied(decisive) && isDenied(rule))
      decisive = rule
      return isSame
    }
    for (const rule of rules) {
      const to = table.lists.list(table.get(rule, field.to))
      if (to.length + covered.length > most) return undefined
      const blocks: Array<CidrCover.Block> = []
      for (const target of to) {
        if (isIn(symbols.portsOf(target), port)) blocks.push(...symbols.prefixOf(target))
      }
      if (blocks.some((block) => !CidrCover.covers(covered, block)) && !isOnly(rule)) return undefined
      covered.push(...blocks)
    }
    const isLeft = CidrCover.everything.some((block) => !CidrCover.covers(covered, block))
    return isLeft && !isOnly(first) ? undefined : decisive
  }

  return {
    settle: (first, known, target) => {
      const groups = target === undefined ? withoutTarget : withoutAddress
      const isCertain = isDenied(first)
      const differs = groups.index.first(
        known.facts,
        groups.count,
        (group) =>
          (groups.first(group, true) < first || (!isCertain && groups.first(group, false) < first)) &&
          groups.isMet(group, known, target)
      )
      if (differs === groups.count) return first
      if (target === undefined) return undefined

      const rules = new Set<number>()
      groups.index.first(known.facts, groups.count, (group) => {
        if (rules.size > most || !groups.isMet(group, known, target)) return false
        groups.forEach(group, (rule) => {
          if (rule >= first || rules.size > most) return false
          rules.add(rule)
          return true
        })
        return false
      })
      return rules.size > most
        ? undefined
        : reachable(
            [...rules].sort((a, b) => a - b),
            first,
            target
          )
    }
  }
}

/**
 * The rules in groups. `portsOf` calls back for each way in which a rule may match: with the list of port ranges of
 * which the port has to be in one, if it has that, and with the range of its target.
 */
function* groupsOf(
  table: RuleTable,
  terms: RuleTerms,
  portsOf: (rule: number, visit: (list: number, range: number) => void) => void
): Slices.Work<Groups> {
  const groups = new ListTable()
  const groupOfEach = new Ints()
  const ruleOfEach = new Ints()
  const key = [0, 0, 0]
  let rule = 0
  const enter = (list: number, range: number) => {
    key[0] = table.get(rule, field.terms)
    key[1] = list
    key[2] = range
    groupOfEach.push(groups.intern(key))
    ruleOfEach.push(rule)
  }
  yield* Slices.count(table.length, (index) => {
    rule = index
    portsOf(index, enter)
  })

  // The rules of each group that allow, and then those that deny, one after another in one array.
  const starts = new Uint32Array(2 * groups.size + 1)
  const part = (at: number) => {
    const isDenying = table.get(ruleOfEach.items[at]!, field.verdict) !== allowed
    return 2 * groupOfEach.items[at]! + Number(isDenying)
  }
  yield* Slices.count(ruleOfEach.length, (at) => {
    starts[part(at) + 1]!++
  })
  for (let i = 0; i < 2 * groups.size; i++) starts[i + 1]! += starts[i]!
  const rules = new Uint32Array(ruleOfEach.length)
  const filled = starts.slice()
  yield* Slices.count(ruleOfEach.length, (at) => {
    rules[filled[part(at)]!++] = ruleOfEach.items[at]!
  })

  const index = yield* ClauseIndex.making({
    count: groups.size,
    lists: table.lists,
    size: table.symbols.size,
    clausesOf: (group, visit) => table.clauses(groups.item(group, 0), visit)
  })
  return grouped(terms, groups, starts, rules, index)
}

/** Apart from where they are made, so that nothing else of that is kept. */
const grouped = (
  terms: RuleTerms,
  groups: ListTable,
  starts: Uint32Array,
  rules: Uint32Array,
  index: ClauseIndex.ClauseIndex
): Groups => ({
  count: groups.size,
  index,
  isMet: (group, known, target) => {
    if (target !== undefined) {
      const list = groups.item(group, 1)
      if (list !== absent && !terms.hasPort(list, target.port)) return false
      if (!isIn(groups.item(group, 2), target.port)) return false
    }
    return terms.hold(groups.item(group, 0), known)
  },
  first: (group, isAllowing) => {
    const at = 2 * group + (isAllowing ? 0 : 1)
    return starts[at]! < starts[at + 1]! ? rules[starts[at]!]! : Number.POSITIVE_INFINITY
  },
  forEach: (group, visit) => {
    for (const at of [2 * group, 2 * group + 1]) {
      for (let i = starts[at]!; i < starts[at + 1]! && visit(rules[i]!); i++);
    }
  }
})

const networkPorts =
  (table: RuleTable) =>
  (rule: number, visit: (list: number, range: number) => void): void => {
    const target = table.get(rule, field.target)
    if (target === absent) return
    const own = table.get(rule, field.ports)
    const ranges = new Set<number>()
    for (const number of table.lists.list(target)) {
      if (table.symbols.isNetwork(number)) ranges.add(table.symbols.portsOf(number))
    }
    for (const range of ranges) visit(own, range)
  }
