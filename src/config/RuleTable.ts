/**
 * Rules in a few large arrays of numbers: very many rules then take little memory,
 * and the garbage collector has no work with them. A rule is made of its numbers
 * again when it is looked at.
 */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ListTable, type ListTableParts } from "../base/ListTable.ts"
import * as Slices from "../base/Slices.ts"
import { TextTable, type TextTableParts } from "../base/TextTable.ts"
import * as Conditions from "./Conditions.ts"
import type { Term } from "./conditions/Term.ts"
import * as Limits from "./Limits.ts"
import { allows, nameOf, nowhere, type Rule } from "./Rule.ts"
import { absent, RuleSymbols, type RuleSymbolsParts } from "./RuleSymbols.ts"

/** Rules in their order: the first that matches decides. */
export type Rules = ReadonlyArray<Rule> | RuleTable

/** The conditions about the request, in the order in which the terms of a rule have them. */
export const ofRequest = Conditions.list.filter(([, { term }]) => term.about === "request")

/** The conditions about the target, in the order of their columns. */
export const ofTarget = Conditions.list.filter(([, { term }]) => term.about === "target")

/** The columns of a rule. */
export const field = {
  /** In `labels`, if the rule has a name. */
  name: 0,
  /** `allowed`, `denied`, or the reason in `labels`. */
  verdict: 1,
  /** In `labels`, if the rule has a time zone. */
  timezone: 2,
  /** In `limits`. */
  limits: 3,
  /** In `labels`, if the rule names a route. */
  route: 4,
  /** In `lists`: the values of each of `ofRequest`, which many rules have alike. */
  terms: 5,
  /** From here on, the values of each of `ofTarget`. */
  target: 6
} as const

/** The number of columns of a rule. */
export const width = field.target + ofTarget.length

export const allowed = -1
export const denied = -2

/**
 * The values of a condition are a list in `lists`. A list that holds for every request is kept as a number below
 * `absent`: for a judge, the rule has no such condition then.
 */
const always = (list: number): number => absent - 1 - list
const listOf = (values: number): number => (values < absent ? absent - 1 - values : values)

/** Longer lists are searched by bisection, shorter lists from their beginning. */
export const long = 16

export interface RuleTableParts {
  readonly symbols: RuleSymbolsParts
  readonly lists: ListTableParts
  readonly ascending: ReadonlyMap<number, number>
  readonly labels: TextTableParts
  readonly rows: Int32Array
  /** The limits, encoded. */
  readonly limits: unknown
}

export class RuleTable implements Iterable<Rule> {
  readonly symbols: RuleSymbols
  readonly lists: ListTable
  /** For each long list in which the numbers do not ascend, the list of the same numbers in which they do. */
  readonly ascending: Map<number, number>
  readonly labels: TextTable
  readonly limits: Array<Limits.Limits> = []
  private readonly limitsByText = new Map<string, number>()
  /** The numbers of long lists, while `setting` puts a rule in. */
  private readonly prepared = new Map<ReadonlyArray<unknown>, Int32Array>()
  /** The terms of the rule that `set` puts in. */
  private readonly terms = new Int32Array(ofRequest.length)
  private rows: Int32Array
  private count: number

  /** Without rules, or with those of another table, given its parts. */
  constructor(parts?: RuleTableParts) {
    this.symbols = new RuleSymbols(parts?.symbols)
    this.lists = new ListTable(parts?.lists)
    this.ascending = new Map(parts?.ascending)
    this.labels = new TextTable(parts?.labels)
    this.rows = parts?.rows ?? new Int32Array(0)
    this.count = this.rows.length / width
    for (const limits of decode(parts?.limits ?? [])) this.limitsOf(limits)
  }

  /** The whole table as data, to be copied to another process. */
  get parts(): RuleTableParts {
    return {
      symbols: this.symbols.parts,
      lists: this.lists.parts,
      ascending: this.ascending,
      labels: this.labels.parts,
      rows: this.rows.subarray(0, this.count * width),
      limits: encode(this.limits)
    }
  }

  /** A table of the rules. Rules that are a table are that table. */
  static *of(rules: Rules): Slices.Work<RuleTable> {
    if (rules instanceof RuleTable) return rules
    const table = new RuleTable()
    let index = 0
    for (const rule of rules) {
      if (isShort(rule)) table.set(index, rule)
      else yield* table.setInSlices(index, rule)
      if ((++index & 255) === 0) yield
    }
    return table
  }

  get length(): number {
    return this.count
  }

  *[Symbol.iterator](): Iterator<Rule> {
    for (let index = 0; index < this.count; index++) yield this.at(index)
  }

  /** Puts a rule at its index. Rules before may still be missing. */
  set(index: number, rule: Rule): void {
    const { terms } = this
    for (let i = 0; i < ofRequest.length; i++) terms[i] = this.values(rule, ofRequest[i]!)
    const at = this.row(index)
    for (let i = 0; i < ofTarget.length; i++) {
      this.rows[at + field.target + i] = this.values(rule, ofTarget[i]!)
    }
    const { rows } = this
    rows[at + field.name] = this.label(rule.name)
    rows[at + field.verdict] = allows(rule)
      ? allowed
      : typeof rule.deny === "string"
        ? this.label(rule.deny)
        : denied
    rows[at + field.timezone] = this.label(rule.timezone && DateTime.zoneToString(rule.timezone))
    rows[at + field.limits] = rule.limits ? this.limitsOf(rule.limits) : absent
    rows[at + field.route] = this.label(rule.route)
    rows[at + field.terms] = this.lists.intern(terms)
  }

  /** Puts a rule with a long list at its index, in slices. */
  *setInSlices(index: number, rule: Rule): Slices.Work<void> {
    for (const [key, { term }] of Conditions.list) {
      const values: ReadonlyArray<Conditions.Value> | undefined = rule[key]
      if (values === undefined || values.length <= long) continue
      const numbers = yield* Slices.map(values, (value) => term.numberOf(value, this.symbols, rule))
      this.prepared.set(values, Int32Array.from(numbers))
    }
    this.set(index, rule)
    this.prepared.clear()
  }

  get(index: number, column: number): number {
    return this.rows[index * width + column]!
  }

  /** The list of the values that a rule has for a condition; `absent` if it has none, or if these always hold. */
  judged(index: number, key: Conditions.Key): number {
    const values = this.valuesAt(index, key)
    return Math.max(values, absent)
  }

  /** Calls this with each list of which a fact has to be there for a rule to match. */
  clauses(index: number, visit: (list: number) => void): void {
    this.termClauses(this.get(index, field.terms), visit)
    for (let i = 0; i < ofTarget.length; i++) {
      const list = this.get(index, field.target + i)
      if (list >= 0 && isByFacts(ofTarget[i]!)) visit(list)
    }
  }

  /** Like `clauses`, for terms: the conditions about the request. */
  termClauses(terms: number, visit: (list: number) => void): void {
    for (let i = 0; i < ofRequest.length; i++) {
      const list = this.lists.item(terms, i)
      if (list >= 0 && isByFacts(ofRequest[i]!)) visit(list)
    }
  }

  /** Whether a rule has a condition, or limits or a route. */
  has(index: number, key: Conditions.Key | "limits" | "route"): boolean {
    return key === "limits" || key === "route"
      ? this.get(index, field[key]) !== absent
      : this.valuesAt(index, key) !== absent
  }

  /** The name of a rule: see `Rule.nameOf`. */
  nameOf(index: number): string {
    const name = this.get(index, field.name)
    return name === absent ? nameOf({}, index) : this.labels.text(name)
  }

  /** Whether a rule denies by its route. */
  leadsNowhere(index: number): boolean {
    const route = this.get(index, field.route)
    return route !== absent && this.labels.text(route) === nowhere
  }

  /** The rule, made of its numbers. */
  at(index: number): Rule {
    const { symbols, labels } = this
    const name = this.get(index, field.name)
    const verdict = this.get(index, field.verdict)
    const timezone = this.get(index, field.timezone)
    const limits = this.get(index, field.limits)
    const route = this.get(index, field.route)
    const conditions: Record<string, unknown> = {}
    for (const [key, { term }] of Conditions.list) {
      const values = this.valuesAt(index, key)
      if (values === absent) continue
      conditions[key] = Array.from(this.lists.list(listOf(values)), (number) => term.valueOf(number, symbols))
    }
    return {
      ...(name !== absent && { name: labels.text(name) }),
      ...(verdict === allowed || this.leadsNowhere(index)
        ? { allow: true }
        : { deny: verdict === denied || labels.text(verdict) }),
      ...conditions,
      ...(timezone !== absent && {
        timezone: Option.getOrThrow(DateTime.zoneFromString(labels.text(timezone)))
      }),
      ...(limits !== absent && { limits: this.limits[limits]! }),
      ...(route !== absent && { route: labels.text(route) })
    }
  }

  /** The first few values that a rule has for a condition, and the number of all of them. */
  firstValues(
    index: number,
    key: Conditions.Key,
    most: number
  ): { readonly first: ReadonlyArray<Conditions.Value>; readonly count: number } {
    const values = this.valuesAt(index, key)
    if (values === absent) return { first: [], count: 0 }
    const numbers = this.lists.list(listOf(values))
    const { term } = Conditions.list.find(([other]) => other === key)![1]
    const first = Array.from(numbers.subarray(0, most), (number) => term.valueOf(number, this.symbols))
    return { first, count: numbers.length }
  }

  private valuesAt(index: number, key: Conditions.Key): number {
    const { about, at } = placeOf(key)
    return about === "request"
      ? this.lists.item(this.get(index, field.terms), at)
      : this.get(index, field.target + at)
  }

  private values(rule: Rule, [key, { term }]: (typeof Conditions.list)[number]): number {
    const values = rule[key]
    if (values === undefined) return absent
    const list = this.list(values, term, rule)
    return term.isAlways?.(values) === true ? always(list) : list
  }

  private list<A>(values: ReadonlyArray<A>, term: Term<A>, rule: Rule): number {
    const { symbols } = this
    const numbers = this.prepared.get(values) ?? values.map((value) => term.numberOf(value, symbols, rule))
    const list = this.lists.intern(numbers)
    if (numbers.length > long && numbers.some((number, at) => at > 0 && number <= numbers[at - 1]!)) {
      this.ascending.set(list, this.lists.intern(Int32Array.from(numbers).sort()))
    }
    return list
  }

  /** Where the columns of a rule begin. */
  private row(index: number): number {
    const end = (index + 1) * width
    if (end > this.rows.length) {
      const rows = new Int32Array(Math.max(16 * width, 2 * this.rows.length, end))
      rows.set(this.rows)
      this.rows = rows
    }
    this.count = Math.max(this.count, index + 1)
    return index * width
  }

  private label(text: string | undefined): number {
    return text === undefined ? absent : this.labels.intern(0, text)
  }

  private limitsOf(limits: Limits.Limits): number {
    // In JSON, no limit at all (Infinity) is null, and a limit that is left out is not there.
    const text = JSON.stringify(limits)
    const known = this.limitsByText.get(text)
    if (known !== undefined) return known
    this.limitsByText.set(text, this.limits.length)
    return this.limits.push(limits) - 1
  }
}

/** Where the values of a condition are: in the terms, or in the columns from `field.target` on. */
const places: ReadonlyMap<Conditions.Key, { readonly about: "request" | "target"; readonly at: number }> =
  new Map(
    Conditions.list.map((entry) => {
      const { about } = entry[1].term
      return [entry[0], { about, at: (about === "request" ? ofRequest : ofTarget).indexOf(entry) }]
    })
  )

export const placeOf = (key: Conditions.Key) => places.get(key)!

const isByFacts = ([, { term }]: (typeof Conditions.list)[number]): boolean => "facts" in term

/** The rules that have one of these conditions, or limits or a route, each with its index. */
export function* having(
  rules: Rules,
  ...keys: ReadonlyArray<Conditions.Key | "limits" | "route">
): Generator<readonly [index: number, rule: Rule]> {
  if (rules instanceof RuleTable) {
    for (let index = 0; index < rules.length; index++) {
      if (keys.some((key) => rules.has(index, key))) yield [index, rules.at(index)]
    }
  } else {
    for (const [index, rule] of rules.entries()) {
      if (keys.some((key) => rule[key] !== undefined)) yield [index, rule]
    }
  }
}

/** Whether some rule allows and names no route; so does a server without rules. */
export const takesDefaultRoute = (rules: Rules): boolean => {
  if (rules.length === 0) return true
  if (!(rules instanceof RuleTable)) return rules.some((rule) => allows(rule) && rule.route === undefined)
  for (let index = 0; index < rules.length; index++) {
    if (rules.get(index, field.verdict) === allowed && !rules.has(index, "route")) return true
  }
  return false
}

/** The routes that rules name, but the one that leads nowhere. No rule is made for it, as there may be very many. */
export const routesOf = (rules: Rules): ReadonlySet<string> => {
  const names = new Set<string>()
  if (rules instanceof RuleTable) {
    const labels = new Set<number>()
    for (let index = 0; index < rules.length; index++) labels.add(rules.get(index, field.route))
    labels.delete(absent)
    for (const label of labels) names.add(rules.labels.text(label))
  } else {
    for (const { route } of rules) if (route !== undefined) names.add(route)
  }
  names.delete(nowhere)
  return names
}

/** All limits that some rule has. */
export const limitsOf = (rules: Rules): ReadonlyArray<Limits.Limits> =>
  rules instanceof RuleTable ? rules.limits : rules.flatMap(({ limits }) => limits ?? [])

/** Whether no list of a rule is long. */
export const isShort = (rule: Rule): boolean =>
  Conditions.list.every(([key]) => (rule[key]?.length ?? 0) <= long)

const allLimits = Schema.Array(Limits.schema)

const encode = Schema.encodeSync(allLimits)

const decode = Schema.decodeUnknownSync(allLimits)
