/**
 * Rules in a few large arrays of numbers: very many of them take little memory,
 * and are no work for the garbage collector. A rule is made again of its numbers
 * whenever somebody wants to look at it.
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import { ListTable, type ListTableParts } from "../base/ListTable.ts"
import * as Slices from "../base/Slices.ts"
import { TextTable, type TextTableParts } from "../base/TextTable.ts"
import type { Limits } from "./Limits.ts"
import type { PortRange } from "./Parsers.ts"
import { allows, list, nameOf, type Rule } from "./Rule.ts"
import { absent, RuleSymbols, type RuleSymbolsParts } from "./RuleSymbols.ts"
import * as TargetPattern from "./TargetPattern.ts"
import * as TimeWindow from "./TimeWindow.ts"

/** Rules in their order, to be gone through from the first on. */
export type Rules = ReadonlyArray<Rule> | RuleTable

/** When rules hold. */
export type Times = Required<Pick<Rule, "when">> & Pick<Rule, "timezone">

/** Of what a rule is made, in this order. */
export const field = {
  /** In `labels`, if it has a name. */
  name: 0,
  /** `allowed`, `denied`, or the reason in `labels`. */
  verdict: 1,
  /** In `lists`: its conditions apart from target and ports, in the order of `term`. */
  terms: 2,
  /** In `lists`: its targets as they are written. */
  to: 3,
  /** The same, unless they are all targets there are. */
  target: 4,
  /** In `lists`, two for each range. */
  ports: 5,
  /** In `limits`. */
  limits: 6
} as const

/** How many fields a rule has. */
export const width = 7

export const allowed = -1
export const denied = -2

/** Where the terms of a rule have what. Each is a list in `lists`, and the last of them is in `times`. */
export const term = {
  users: 0,
  groups: 1,
  clients: 2,
  listeners: 3,
  commands: 4,
  protocols: 5,
  times: 6
} as const

/** Longer lists are searched, and shorter ones gone through. */
export const long = 16

export interface RuleTableParts {
  readonly symbols: RuleSymbolsParts
  readonly lists: ListTableParts
  readonly ascending: ReadonlyMap<number, number>
  readonly labels: TextTableParts
  readonly rows: Int32Array
  /** Rules as they are written, that have nothing but these. */
  readonly times: unknown
  readonly limits: unknown
}

export class RuleTable implements Iterable<Rule> {
  readonly symbols: RuleSymbols
  readonly lists: ListTable
  /** Of long lists in which the numbers do not ascend, the list in which they do. */
  readonly ascending: Map<number, number>
  readonly labels: TextTable
  readonly times: Array<Times> = []
  readonly limits: Array<Limits> = []
  private readonly timesByText = new Map<string, number>()
  private readonly limitsByText = new Map<string, number>()
  /** Of the long lists of the rule that is put in, the numbers. */
  private readonly prepared = new Map<ReadonlyArray<unknown>, Int32Array>()
  /** Those of the rule that is put in. */
  private readonly terms = new Int32Array(Object.keys(term).length)
  private rows: Int32Array
  private count: number

  /** Without rules, or with those of another table, whose parts these are. */
  constructor(parts?: RuleTableParts) {
    this.symbols = new RuleSymbols(parts?.symbols)
    this.lists = new ListTable(parts?.lists)
    this.ascending = new Map(parts?.ascending)
    this.labels = new TextTable(parts?.labels)
    this.rows = parts?.rows ?? new Int32Array(0)
    this.count = this.rows.length / width
    for (const { when, timezone } of decode(parts?.times)) if (when) this.timesOf(when, timezone)
    for (const { limits } of decode(parts?.limits)) if (limits) this.limitsOf(limits)
  }

  /** All there is of it, to be copied to another process. */
  get parts(): RuleTableParts {
    return {
      symbols: this.symbols.parts,
      lists: this.lists.parts,
      ascending: this.ascending,
      labels: this.labels.parts,
      rows: this.rows.subarray(0, this.count * width),
      times: encode(this.times),
      limits: encode(this.limits.map((limits) => ({ limits })))
    }
  }

  /** Of rules that are in a table, that table. */
  static *of(rules: Rules): Slices.Work<RuleTable> {
    if (rules instanceof RuleTable) return rules
    const table = new RuleTable()
    let index = 0
    for (const rule of rules) {
      if (isShort(rule)) table.set(index, rule)
      else yield* table.setting(index, rule)
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

  /** Puts a rule where it belongs. Those before may still be missing. */
  set(index: number, rule: Rule): void {
    const { symbols, terms } = this
    terms[term.users] = this.list(rule.users, symbols.user)
    terms[term.groups] = this.list(rule.groups, symbols.group)
    terms[term.clients] = this.list(rule.clients, symbols.client)
    terms[term.listeners] = this.list(rule.listeners, symbols.listener)
    terms[term.commands] = this.list(rule.commands, symbols.command)
    terms[term.protocols] = this.list(rule.protocols, symbols.protocol)
    terms[term.times] = rule.when ? this.timesOf(rule.when, rule.timezone) : absent
    const to = this.list(rule.to, symbols.target)
    const at = this.row(index)
    const { rows } = this
    rows[at + field.name] = rule.name === undefined ? absent : this.labels.intern(0, rule.name)
    rows[at + field.verdict] = allows(rule)
      ? allowed
      : typeof rule.deny === "string"
        ? this.labels.intern(0, rule.deny)
        : denied
    rows[at + field.terms] = this.lists.intern(terms)
    rows[at + field.to] = to
    rows[at + field.target] = rule.to && isAnything(rule.to) ? absent : to
    rows[at + field.ports] = rule.ports ? this.lists.intern(rule.ports.flat()) : absent
    rows[at + field.limits] = rule.limits ? this.limitsOf(rule.limits) : absent
  }

  /** The same in pieces, for a rule of which some list is long. */
  *setting(index: number, rule: Rule): Slices.Work<void> {
    const { symbols } = this
    yield* this.prepare(rule.users, symbols.user)
    yield* this.prepare(rule.groups, symbols.group)
    yield* this.prepare(rule.clients, symbols.client)
    yield* this.prepare(rule.listeners, symbols.listener)
    yield* this.prepare(rule.to, symbols.target)
    this.set(index, rule)
    this.prepared.clear()
  }

  get(index: number, what: (typeof field)[keyof typeof field]): number {
    return this.rows[index * width + what]!
  }

  /** Whether a rule has such a condition, or limits. */
  has(index: number, key: "users" | "groups" | "listeners" | "limits"): boolean {
    return key === "limits"
      ? this.get(index, field.limits) !== absent
      : this.lists.item(this.get(index, field.terms), term[key]) !== absent
  }

  /** As `Rule.nameOf` has it. */
  nameOf(index: number): string {
    const name = this.get(index, field.name)
    return name === absent ? nameOf({}, index) : this.labels.text(name)
  }

  /** Calls this with each list of which a fact has to be, of the terms in a list. */
  clauses(terms: number, visit: (list: number) => void): void {
    for (let at = 0; at < term.times; at++) {
      const list = this.lists.item(terms, at)
      if (list !== absent) visit(list)
    }
  }

  /** Made of its numbers. */
  at(index: number): Rule {
    const { symbols, labels } = this
    const name = this.get(index, field.name)
    const verdict = this.get(index, field.verdict)
    const terms = this.lists.list(this.get(index, field.terms))
    const ports = this.get(index, field.ports)
    const limits = this.get(index, field.limits)
    const listed = <A>(key: string, list: number, valueOf: (number: number) => A) =>
      list === absent ? undefined : { [key]: Array.from(this.lists.list(list), valueOf) }
    return {
      ...(name !== absent && { name: labels.text(name) }),
      ...(verdict === allowed ? { allow: true } : { deny: verdict === denied || labels.text(verdict) }),
      ...listed("users", terms[term.users]!, symbols.userOf),
      ...listed("groups", terms[term.groups]!, symbols.textOf),
      ...listed("clients", terms[term.clients]!, symbols.clientOf),
      ...listed("listeners", terms[term.listeners]!, symbols.textOf),
      ...listed("commands", terms[term.commands]!, symbols.commandOf),
      ...listed("protocols", terms[term.protocols]!, symbols.protocolOf),
      ...listed("to", this.get(index, field.to), symbols.targetOf),
      ...(ports !== absent && { ports: pairs(this.lists.list(ports)) }),
      ...(terms[term.times] !== absent && this.times[terms[term.times]!]),
      ...(limits !== absent && { limits: this.limits[limits]! })
    }
  }

  private *prepare<A>(
    values: ReadonlyArray<A> | undefined,
    numberOf: (value: A) => number
  ): Slices.Work<void> {
    if (values === undefined || values.length <= long) return
    this.prepared.set(values, Int32Array.from(yield* Slices.map(values, numberOf)))
  }

  private list<A>(values: ReadonlyArray<A> | undefined, numberOf: (value: A) => number): number {
    if (values === undefined) return absent
    const numbers = this.prepared.get(values) ?? values.map(numberOf)
    const list = this.lists.intern(numbers)
    if (numbers.length > long && numbers.some((number, at) => at > 0 && number <= numbers[at - 1]!)) {
      this.ascending.set(list, this.lists.intern(Int32Array.from(numbers).sort()))
    }
    return list
  }

  /** Where it begins. */
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

  private timesOf(when: Times["when"], timezone: Times["timezone"]): number {
    const zone = timezone ? DateTime.zoneToString(timezone) : ""
    const text = `${when.map(TimeWindow.format).join(";")} ${zone}`
    const known = this.timesByText.get(text)
    if (known !== undefined) return known
    this.timesByText.set(text, this.times.length)
    return this.times.push({ when, ...(timezone && { timezone }) }) - 1
  }

  private limitsOf(limits: Limits): number {
    // No limit at all is null then, and what is left out is not there.
    const text = JSON.stringify(limits)
    const known = this.limitsByText.get(text)
    if (known !== undefined) return known
    this.limitsByText.set(text, this.limits.length)
    return this.limits.push(limits) - 1
  }
}

/** Those of the rules that have one of these conditions, or limits, each with where it is. */
export function* having(
  rules: Rules,
  ...keys: ReadonlyArray<"users" | "groups" | "listeners" | "limits">
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

/** All limits that some rule has. */
export const limitsOf = (rules: Rules): ReadonlyArray<Limits> =>
  rules instanceof RuleTable ? rules.limits : rules.flatMap(({ limits }) => limits ?? [])

/** Whether no list of it is long. */
export const isShort = ({ users, groups, clients, listeners, to }: Rule): boolean =>
  isFew(users) && isFew(groups) && isFew(clients) && isFew(listeners) && isFew(to)

const isFew = (values: ReadonlyArray<unknown> | undefined): boolean =>
  values === undefined || values.length <= long

const encode = (rules: ReadonlyArray<Pick<Rule, "when" | "timezone" | "limits">>): unknown =>
  Schema.encodeSync(list)(rules.map((rule) => ({ ...rule, allow: true })))

const decode = (written: unknown = []): ReadonlyArray<Rule> =>
  Schema.decodeUnknownSync(list)(written) as ReadonlyArray<Rule>

const pairs = (numbers: Int32Array): ReadonlyArray<PortRange> =>
  Array.from({ length: numbers.length / 2 }, (_, i) => [numbers[2 * i]!, numbers[2 * i + 1]!])

/** Whether targets are all there are: `*`, or both families. */
const isAnything = (to: ReadonlyArray<TargetPattern.TargetPattern>): boolean => {
  if (to.length === 1) return to[0]!.ports === undefined && to[0]!.host._tag === "Any"
  const everywhere = to.filter(
    ({ host, ports }) =>
      ports === undefined &&
      (host._tag === "Any" || (host._tag === "Network" && host.network.prefixLength === 0))
  )
  return (
    everywhere.some(({ host }) => host._tag === "Any") ||
    new Set(everywhere.map((pattern) => TargetPattern.format(pattern))).size === 2
  )
}
