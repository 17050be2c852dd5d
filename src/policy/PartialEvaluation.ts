/**
 * The decision of the rules while the target, or the target's address, is not known. If a
 * denial is certain, the name is not resolved.
 */
import { Ints } from "../base/Ints.ts"
import { ListTable } from "../base/ListTable.ts"
import * as Slices from "../base/Slices.ts"
import { absent, allPorts, isIn } from "../config/RuleSymbols.ts"
import { allowed, field, ofTarget, type RuleTable } from "../config/RuleTable.ts"
import type { Target } from "../wire/Target.ts"
import * as CidrCover from "./CidrCover.ts"
import * as ClauseIndex from "./ClauseIndex.ts"
import type { Known } from "./Facts.ts"
import { openPorts, type RuleTerms } from "./RuleTerms.ts"

export interface PartialEvaluation {
  /**
   * The rule that decides, given the first that matches for certain, or the number of rules if none does. If all
   * rules that can decide deny, one of them. Undefined if the decision depends on what is not known.
   */
  readonly decide: (first: number, known: Known) => number | undefined
}

/** Rules that may match, in groups of those that match alike apart from what is not known. */
interface Groups {
  readonly count: number
  /** Whether the rules of a group may match. */
  readonly isMet: (group: number, known: Known) => boolean
  /** The first rule of a group that allows, or denies; `Infinity` if there is none. */
  readonly first: (group: number, isAllowing: boolean) => number
  /** Calls this with each rule of a group, those that allow first, each part ascending, until it returns false. */
  readonly forEach: (group: number, visit: (rule: number) => boolean) => void
  readonly index: ClauseIndex.ClauseIndex
}

/** The most networks that are compared with one another. With more, the decision depends on the address. */
const most = 64

export function* build(table: RuleTable, terms: RuleTerms): Slices.Work<PartialEvaluation> {
  const withoutAddress = yield* groupsOf(table, terms, waysByAddress(table))
  const withoutTarget = yield* groupsOf(table, terms, waysByTarget(table))
  return ready(table, withoutAddress, withoutTarget)
}

/** Separate from `build`, so that the closures keep nothing else of it. */
const ready = (table: RuleTable, withoutAddress: Groups, withoutTarget: Groups): PartialEvaluation => {
  const isDenied = (rule: number) => rule >= table.length || table.get(rule, field.verdict) !== allowed

  /** The rule that decides, if only one of the rules that may match can decide, or all of them deny. */
  const reachable = (rules: Iterable<number>, first: number, { port }: Target): number | undefined => {
    const covered: Array<CidrCover.Block> = []
    let decisive: number | undefined
    const isOnly = (rule: number) => {
      const isSame = decisive === undefined || (isDenied(decisive) && isDenied(rule))
      decisive = rule
      return isSame
    }
    for (const rule of rules) {
      const blocks = blocksOf(table, rule, port)
      if (blocks === undefined) {
        // At which addresses the rule matches is not known, and the rules behind it may match at any.
        if (!isOnly(rule)) return undefined
        continue
      }
      if (blocks.length + covered.length > most) return undefined
      if (blocks.some((block) => !CidrCover.covers(covered, block)) && !isOnly(rule)) return undefined
      covered.push(...blocks)
    }
    const isLeft = CidrCover.everything.some((block) => !CidrCover.covers(covered, block))
    return isLeft && !isOnly(first) ? undefined : decisive
  }

  return {
    decide: (first, known) => {
      const { target } = known.access
      const groups = target === undefined ? withoutTarget : withoutAddress
      const isCertain = isDenied(first)
      const differs = groups.index.first(
        known.facts,
        groups.count,
        (group) =>
          (groups.first(group, true) < first || (!isCertain && groups.first(group, false) < first)) &&
          groups.isMet(group, known)
      )
      if (differs === groups.count) return first
      if (target === undefined) return undefined

      const rules = new Set<number>()
      groups.index.first(known.facts, groups.count, (group) => {
        if (rules.size > most || !groups.isMet(group, known)) return false
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

/** The networks in which the address has to be for a rule to match at a port; undefined if they cannot be told. */
const blocksOf = (table: RuleTable, rule: number, port: number): Array<CidrCover.Block> | undefined => {
  const { lists, symbols } = table
  const blocks: Array<CidrCover.Block> = []
  let open = 0
  for (const [condition, [, { term }]] of ofTarget.entries()) {
    const list = table.get(rule, field.target + condition)
    if (list < 0 || openPorts(table, condition, list).length === 0 || !("facts" in term)) continue
    if (++open > 1 || lists.length(list) > most) return undefined
    for (const number of lists.list(list)) {
      if (!term.isByAddress?.(number, symbols) || !isIn(symbols.portsOf(number), port)) continue
      if (!symbols.isNetwork(number)) return undefined
      blocks.push(...symbols.prefixOf(number))
    }
  }
  return blocks
}

/**
 * A way in which a rule may match: the ports at which it may, packed, and for each of `ofTarget` the list of which a
 * value has to be true, or `absent`.
 */
type Visit = (ports: number, lists: ReadonlyArray<number>) => void

type Ways = (rule: number, visit: Visit) => void

/** The ways if the target is known and its address is not. */
const waysByAddress = (table: RuleTable): Ways => {
  const lists = ofTarget.map(() => absent)
  return (rule, visit) => {
    let open = 0
    let ports: ReadonlyArray<number> = []
    for (let i = 0; i < lists.length; i++) {
      const list = table.get(rule, field.target + i)
      const ranges = list < 0 ? [] : openPorts(table, i, list)
      lists[i] = list < 0 || ranges.length > 0 ? absent : list
      if (ranges.length === 0) continue
      open++
      ports = ranges
    }
    // A rule with several such conditions may match by the one at ports at which the other one holds already.
    if (open > 1) visit(allPorts, lists)
    else for (const range of ports) visit(range, lists)
  }
}

/** The ways if the target is not known. */
const waysByTarget = (table: RuleTable): Ways => {
  const any = ofTarget.map(() => absent)
  return (rule, visit) => {
    let isOpen = false
    for (let i = 0; i < any.length; i++) {
      const list = table.get(rule, field.target + i)
      if (list < 0) continue
      if (table.lists.length(list) === 0) return
      isOpen = true
    }
    if (isOpen) visit(allPorts, any)
  }
}

/** The rules in groups, by their terms and the ways in which they may match. */
function* groupsOf(table: RuleTable, terms: RuleTerms, ways: Ways): Slices.Work<Groups> {
  const groups = new ListTable()
  const groupOfEach = new Ints()
  const ruleOfEach = new Ints()
  const key = new Int32Array(2 + ofTarget.length)
  let rule = 0
  const enter: Visit = (ports, lists) => {
    key[0] = table.get(rule, field.terms)
    key[1] = ports
    key.set(lists, 2)
    groupOfEach.push(groups.intern(key))
    ruleOfEach.push(rule)
  }
  yield* Slices.count(table.length, (index) => {
    rule = index
    ways(index, enter)
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

  const index = yield* ClauseIndex.build({
    count: groups.size,
    lists: table.lists,
    size: table.symbols.size,
    clausesOf: (group, visit) => table.termClauses(groups.item(group, 0), visit)
  })
  return grouped(terms, groups, starts, rules, index)
}

/** Separate from `groupsOf`, so that the closures keep nothing else of it. */
const grouped = (
  terms: RuleTerms,
  groups: ListTable,
  starts: Uint32Array,
  rules: Uint32Array,
  index: ClauseIndex.ClauseIndex
): Groups => ({
  count: groups.size,
  index,
  isMet: (group, known) => {
    const { target } = known.access
    if (target !== undefined) {
      if (!isIn(groups.item(group, 1), target.port)) return false
      for (let i = 0; i < ofTarget.length; i++) {
        const list = groups.item(group, 2 + i)
        if (list !== absent && !terms.targetHolds(i, list, known.reached, known)) return false
      }
    }
    return terms.requestHolds(groups.item(group, 0), known)
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
