/**
 * What is true of an access, of all that rules speak of: a few numbers.
 */
import * as NetAddress from "effect/net/NetAddress"
import { PrefixTree } from "../base/PrefixTree.ts"
import type * as Slices from "../base/Slices.ts"
import { absent, isIn, kinds, type RuleSymbols } from "../config/RuleSymbols.ts"
import type { Target } from "../wire/Target.ts"
import type { Access } from "./Access.ts"
import * as EmbeddedIpv4 from "./EmbeddedIpv4.ts"

export interface Facts {
  /** The numbers of all that is true of an access, as far as it is known. */
  readonly of: (access: Access, address: NetAddress.IpAddress | undefined) => ReadonlyArray<number>
  /** The numbers of the targets that are reached by way of the address, which has them inside: none for most. */
  readonly reached: (access: Access, address: NetAddress.IpAddress | undefined) => ReadonlyArray<number>
}

export function* making(symbols: RuleSymbols): Slices.Work<Facts> {
  const { texts } = symbols
  const counts = new Uint32Array(Object.keys(kinds).length)
  const clients = new PrefixTree()
  const targets = new PrefixTree()
  let hasWideListener = false
  for (let number = 0; number < texts.size; number++) {
    const kind = texts.kind(number)
    counts[kind]!++
    if (kind === kinds.client || kind === kinds.network) {
      const tree = kind === kinds.client ? clients : targets
      for (const { words, length } of symbols.prefixOf(number)) tree.add(words, length, number)
    } else if (kind === kinds.listener) {
      hasWideListener ||= /^(0\.0\.0\.0|\[::\]):/.test(texts.text(number))
    }
    if ((number & 255) === 255) yield
  }
  return ready(symbols, { counts, clients, targets, hasWideListener })
}

interface Indexes {
  /** How many texts of each kind there are. */
  readonly counts: Uint32Array
  readonly clients: PrefixTree
  readonly targets: PrefixTree
  readonly hasWideListener: boolean
}

const ready = (symbols: RuleSymbols, { counts, clients, targets, hasWideListener }: Indexes): Facts => {
  const { texts, links } = symbols
  const any = texts.find(kinds.any, "")
  const anyName = texts.find(kinds.anyName, "")
  const hasNames = counts[kinds.name]! + counts[kinds.suffix]! > 0
  const hasNetworks = counts[kinds.network]! > 0

  const add = (facts: Array<number>, kind: number, text: string) => {
    if (counts[kind] === 0) return
    const fact = texts.find(kind, text)
    if (fact !== absent) facts.push(fact)
  }

  /** A host, and those of its patterns with ports that have this one. */
  const addHost = (facts: Array<number>, host: number, port: number) => {
    facts.push(host)
    for (let at = links.items[host]!; at !== absent; at = links.items[at]!) {
      if (isIn(symbols.portsOf(at), port)) facts.push(at)
    }
  }

  /** Networks have the address: of a target that is one, or the one its name was resolved to, if that is known. */
  const addTarget = (
    facts: Array<number>,
    { host, port }: Target,
    address: NetAddress.IpAddress | undefined
  ) => {
    if (any !== absent) addHost(facts, any, port)
    const found: Array<number> = []
    if (typeof host === "string") {
      if (anyName !== absent) addHost(facts, anyName, port)
      if (hasNames) texts.findName(host, kinds.name, kinds.suffix, found)
    }
    const where = typeof host === "string" ? address : (address ?? host)
    if (hasNetworks && where !== undefined) targets.match(where, found)
    for (let i = 0; i < found.length; i++) addHost(facts, found[i]!, port)
  }

  return {
    of: (access, address) => {
      const facts: Array<number> = []
      const { user, groups = [] } = access.identity
      if (user !== undefined) add(facts, kinds.user, user)
      for (const group of groups) add(facts, kinds.group, group)
      add(facts, kinds.listener, access.listener)
      if (hasWideListener) {
        for (const listener of wide(access.listener)) add(facts, kinds.listener, listener)
      }
      add(facts, kinds.command, access.command)
      add(facts, kinds.protocol, access.protocol)
      if (access.client !== undefined && counts[kinds.client] !== 0) clients.match(access.client, facts)
      if (access.target !== undefined) addTarget(facts, access.target, address)
      return facts
    },
    reached: ({ target }, address) => {
      const where = address ?? target?.host
      if (target === undefined || !NetAddress.isIpv6Address(where)) return none
      const facts: Array<number> = []
      for (const host of EmbeddedIpv4.within(where)) addTarget(facts, { ...target, host }, undefined)
      return facts
    }
  }
}

const none: ReadonlyArray<number> = []

/** The listeners that stand for one on an address of the machine: of its family, and of both. */
const wide = (listener: string): ReadonlyArray<string> => {
  const port = listener.slice(listener.lastIndexOf(":"))
  if (listener.startsWith("unix:")) return []
  const both = `[::]${port}`
  return [...(listener.startsWith("[") ? [] : [`0.0.0.0${port}`]), both].filter((it) => it !== listener)
}
