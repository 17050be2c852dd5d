/**
 * Numbers for everything that rules speak of: users, groups, networks, names.
 * What is known of an access is then a few numbers, and a condition of a rule
 * is a list of numbers of which it takes one.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as PrefixTree from "../base/PrefixTree.ts"
import * as Slices from "../base/Slices.ts"
import type { Rule } from "../config/Rule.ts"
import * as TargetPattern from "../config/TargetPattern.ts"
import { printable } from "../wire/Text.ts"
import type { Access } from "./Access.ts"
import * as EmbeddedIpv4 from "./EmbeddedIpv4.ts"
import * as TargetIndex from "./TargetIndex.ts"

/** The numbers of a condition's values, ascending. */
export type Clause = ArrayLike<number>

/** The conditions of a rule that are values, or none where it has no such condition. */
export interface Clauses {
  readonly of: ReadonlyArray<Clause>
  readonly to: Clause | undefined
}

export interface RuleSymbols {
  /** The numbers there are: from 0 to less than this. */
  readonly size: number
  /** Of each rule, in their order. */
  readonly clauses: ReadonlyArray<Clauses>
  /** The numbers of all that is true of an access, as far as it is known. */
  readonly facts: (access: Access, address: NetAddress.IpAddress | undefined) => ReadonlyArray<number>
  /** The numbers of the targets that are reached by way of the address, which has them inside: none for most. */
  readonly reached: (access: Access, address: NetAddress.IpAddress | undefined) => ReadonlyArray<number>
}

export const make = (rules: ReadonlyArray<Rule>): RuleSymbols => Slices.runSync(making(rules))

/** The same in pieces. */
export function* making(rules: ReadonlyArray<Rule>): Slices.Work<RuleSymbols> {
  let size = 0
  const users = new Map<string, number>()
  const groups = new Map<string, number>()
  const listeners = new Map<string, number>()
  const commands = new Map<string, number>()
  const protocols = new Map<string, number>()
  const clients = new Map<string, number>()
  const targets = new Map<string, number>()
  // By their position in a tree, which is that of their entry in a map.
  const networks: Array<IpNetwork.IpNetwork> = []
  const patterns: Array<TargetPattern.TargetPattern> = []

  const number = <A>(words: Map<string, number>, word: string, value: A, values?: Array<A>): number => {
    const known = words.get(word)
    if (known !== undefined) return known
    words.set(word, size)
    values?.push(value)
    return size++
  }

  const userOf = (user: string) => number(users, printable(user), user)
  const groupOf = (group: string) => number(groups, group, group)
  const clientOf = (client: IpNetwork.IpNetwork) =>
    number(clients, IpNetwork.format(client), client, networks)
  const listenerOf = (listener: string) => number(listeners, listener, listener)
  const commandOf = (command: string) => number(commands, command.toUpperCase(), command)
  const protocolOf = (protocol: string) => number(protocols, protocol.toUpperCase(), protocol)
  const targetOf = (pattern: TargetPattern.TargetPattern) =>
    number(targets, TargetPattern.format(pattern), pattern, patterns)

  const clauses = new Array<Clauses>(rules.length)
  for (const [index, rule] of rules.entries()) {
    const of: Array<Clause> = []
    if (rule.users) of.push(few(rule.users, userOf) ?? (yield* many(rule.users, userOf)))
    if (rule.groups) of.push(few(rule.groups, groupOf) ?? (yield* many(rule.groups, groupOf)))
    if (rule.clients) of.push(few(rule.clients, clientOf) ?? (yield* many(rule.clients, clientOf)))
    if (rule.listeners) of.push(few(rule.listeners, listenerOf) ?? (yield* many(rule.listeners, listenerOf)))
    if (rule.commands) of.push(few(rule.commands, commandOf) ?? (yield* many(rule.commands, commandOf)))
    if (rule.protocols) of.push(few(rule.protocols, protocolOf) ?? (yield* many(rule.protocols, protocolOf)))
    const to =
      rule.to === undefined || isAnything(rule.to)
        ? undefined
        : (few(rule.to, targetOf) ?? (yield* many(rule.to, targetOf)))
    clauses[index] = { of: of.length === 0 ? none : of, to }
    if ((index & 255) === 255) yield
  }

  const clientNumbers = Int32Array.from(clients.values())
  const targetNumbers = Int32Array.from(targets.values())
  const clientTree = yield* PrefixTree.making(networks)
  const targetIndex = yield* TargetIndex.making(patterns)
  const words = { users, groups, listeners, commands, protocols }
  return { size, clauses, ...ready({ ...words, clientNumbers, targetNumbers, clientTree, targetIndex }) }
}

interface Tables {
  readonly users: ReadonlyMap<string, number>
  readonly groups: ReadonlyMap<string, number>
  readonly listeners: ReadonlyMap<string, number>
  readonly commands: ReadonlyMap<string, number>
  readonly protocols: ReadonlyMap<string, number>
  readonly clientNumbers: Int32Array
  readonly targetNumbers: Int32Array
  readonly clientTree: PrefixTree.PrefixTree
  readonly targetIndex: TargetIndex.TargetIndex
}

/** Apart from where they are made, so that nothing else of that is kept. */
const ready = ({
  users,
  groups,
  listeners,
  commands,
  protocols,
  clientNumbers,
  targetNumbers,
  clientTree,
  targetIndex
}: Tables): Pick<RuleSymbols, "facts" | "reached"> => {
  const hasWildListener = [...listeners.keys()].some((listener) => /^(0\.0\.0\.0|\[::\]):/.test(listener))
  return {
    facts: (access, address) => {
      const facts: Array<number> = []
      const { user, groups: memberships = [] } = access.identity
      if (user !== undefined) add(facts, users.get(user))
      for (const group of memberships) add(facts, groups.get(group))
      add(facts, listeners.get(access.listener))
      if (hasWildListener) {
        const [host, port] = unspecified(access.listener)
        if (host !== access.listener) add(facts, listeners.get(host))
        if (port !== access.listener) add(facts, listeners.get(port))
      }
      add(facts, commands.get(access.command))
      add(facts, protocols.get(access.protocol))
      const found: Array<number> = []
      if (access.client !== undefined) {
        clientTree.match(access.client, found)
        for (const at of found) facts.push(clientNumbers[at]!)
        found.length = 0
      }
      if (access.target !== undefined) {
        targetIndex.match(access.target, address, found)
        for (const at of found) facts.push(targetNumbers[at]!)
      }
      return facts
    },
    reached: ({ target }, address) => {
      const where = address ?? target?.host
      if (target === undefined || !NetAddress.isIpv6Address(where)) return []
      const found: Array<number> = []
      for (const host of EmbeddedIpv4.within(where)) targetIndex.match({ ...target, host }, undefined, found)
      return found.map((at) => targetNumbers[at]!)
    }
  }
}

const add = (facts: Array<number>, fact: number | undefined): void => {
  if (fact !== undefined) facts.push(fact)
}

const none: ReadonlyArray<Clause> = []

/** The numbers of a few values, each once: an array takes less then than a typed one. Nothing for more. */
const few = <A>(values: ReadonlyArray<A>, numberOf: (value: A) => number): Clause | undefined => {
  if (values.length === 1) return [numberOf(values[0]!)]
  return values.length > 16 ? undefined : [...new Set(values.map(numberOf))].sort((a, b) => a - b)
}

/** The numbers of values, each once. */
function* many<A>(values: ReadonlyArray<A>, numberOf: (value: A) => number): Slices.Work<Clause> {
  const numbers = Int32Array.from(yield* Slices.map(values, numberOf)).sort()
  const distinct = numbers.filter((number, at) => at === 0 || number !== numbers[at - 1])
  return distinct.length > 16 ? distinct : [...distinct]
}

/** Whether targets are all there are: `*`, or both families. */
const isAnything = (to: Rule["to"] = []): boolean => {
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

/** The listeners that stand for one on an address of the machine: of its family, and of both. */
const unspecified = (listener: string): readonly [string, string] => {
  const port = listener.slice(listener.lastIndexOf(":"))
  return listener.startsWith("unix:") || listener.startsWith("[")
    ? [listener, listener.startsWith("[") ? `[::]${port}` : listener]
    : [`0.0.0.0${port}`, `[::]${port}`]
}
