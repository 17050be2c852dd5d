/**
 * Numbers for everything that rules speak of: users, groups, networks, names. A
 * condition of a rule is then a list of numbers, and of very many rules there are
 * a few large arrays.
 */
import type * as Host from "effect/net/Host"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import { Ints } from "../base/Ints.ts"
import * as PrefixTree from "../base/PrefixTree.ts"
import { TextTable, type TextTableParts } from "../base/TextTable.ts"
import { printable } from "../wire/Text.ts"
import type { Command } from "./conditions/Commands.ts"
import type { PortRange, ProtocolName } from "./Parsers.ts"
import * as TargetPattern from "./TargetPattern.ts"

/** What a number stands for. */
export const kinds = {
  /** A user as logs have it, in which no two differ that are users. */
  user: 0,
  group: 1,
  client: 2,
  listener: 3,
  /** In capitals, as in an access. */
  command: 4,
  /** In capitals, as in an access. */
  protocol: 5,
  /** Patterns without ports. */
  name: 6,
  suffix: 7,
  network: 8,
  any: 9,
  anyName: 10,
  /** A pattern with ports, whatever its host is. */
  ported: 11
} as const

/** What is not there. */
export const absent = -1

/** Ports from the first to the last as one integer: the first in the lower half, the last in the upper. */
const packed = ([first, last]: PortRange): number => first | (last << 16)

export const allPorts = packed([0, 65_535])

export const isIn = (ports: number, port: number): boolean => (ports & 65_535) <= port && port <= ports >>> 16

export interface RuleSymbolsParts {
  readonly texts: TextTableParts
  readonly ports: Int32Array
  readonly networks: Int32Array
  readonly links: Int32Array
  readonly words: Int32Array
  readonly written: ReadonlyMap<number, string>
}

export class RuleSymbols {
  readonly texts: TextTable
  /** Of each pattern. */
  private readonly ports: Ints
  /** Of each network and of each pattern of one, where it is in `words`. */
  private readonly networks: Ints
  /**
   * From a host to the last of its patterns with ports, from there to the one before. A host has a
   * number also where it is in no rule without ports.
   */
  readonly links: Ints
  /** Networks: the length of the prefix, how many words follow, and these. */
  private readonly words: Ints
  /** Of users that logs have otherwise than they are written. */
  private readonly written: Map<number, string>

  /** Without any, or with those of others, whose parts these are. */
  constructor(parts?: RuleSymbolsParts) {
    this.texts = new TextTable(parts?.texts)
    this.ports = new Ints(parts?.ports)
    this.networks = new Ints(parts?.networks)
    this.links = new Ints(parts?.links)
    this.words = new Ints(parts?.words)
    this.written = new Map(parts?.written)
  }

  /** All there is of them, to be copied to another process. */
  get parts(): RuleSymbolsParts {
    const { texts, ports, networks, links, words, written } = this
    return {
      texts: texts.parts,
      ports: ports.all,
      networks: networks.all,
      links: links.all,
      words: words.all,
      written
    }
  }

  get size(): number {
    return this.texts.size
  }

  readonly user = (user: string): number => {
    const shown = printable(user)
    const number = this.number(kinds.user, shown)
    if (shown !== user) this.written.set(number, user)
    return number
  }

  readonly group = (group: string): number => this.number(kinds.group, group)
  readonly listener = (listener: string): number => this.number(kinds.listener, listener)
  readonly command = (command: Command): number => this.number(kinds.command, command.toUpperCase())
  readonly protocol = (protocol: ProtocolName): number => this.number(kinds.protocol, protocol.toUpperCase())

  readonly client = (network: IpNetwork.IpNetwork): number =>
    this.number(kinds.client, IpNetwork.format(network), network)

  readonly target = (pattern: TargetPattern.TargetPattern): number => {
    const host = this.host(pattern.host)
    if (pattern.ports === undefined) return host
    const { size } = this
    const number = this.number(kinds.ported, TargetPattern.format(pattern))
    if (number === size) {
      this.ports.items[number] = packed(pattern.ports)
      this.networks.items[number] = this.networks.items[host]!
      this.links.items[number] = this.links.items[host]!
      this.links.items[host] = number
    }
    return number
  }

  readonly userOf = (number: number): string => this.written.get(number) ?? this.texts.text(number)
  readonly textOf = (number: number): string => this.texts.text(number)
  readonly commandOf = (number: number): Command => this.texts.text(number).toLowerCase() as Command
  readonly protocolOf = (number: number): ProtocolName =>
    this.texts.text(number).toLowerCase() as ProtocolName

  readonly clientOf = (number: number): IpNetwork.IpNetwork => {
    const { host } = Option.getOrThrow(TargetPattern.fromString(this.texts.text(number)))
    if (host._tag !== "Network") throw new Error(`${this.texts.text(number)} is no network`)
    return host.network
  }

  readonly targetOf = (number: number): TargetPattern.TargetPattern => {
    const text = this.texts.text(number)
    switch (this.texts.kind(number)) {
      case kinds.name:
        return { host: { _tag: "Name", name: text as Host.DomainName } }
      case kinds.suffix:
        return { host: { _tag: "Suffix", suffix: text as Host.DomainName } }
      case kinds.any:
        return { host: { _tag: "Any" } }
      case kinds.anyName:
        return { host: { _tag: "AnyName" } }
      default:
        return Option.getOrThrow(TargetPattern.fromString(text))
    }
  }

  /** The ports of a pattern. */
  portsOf(number: number): number {
    return this.ports.items[number]!
  }

  /** Whether it is a network, or a pattern of one. */
  isNetwork(number: number): boolean {
    return this.networks.items[number] !== absent
  }

  /** The network that it is, or that it is a pattern of; none for others. */
  prefixOf(number: number): ReadonlyArray<{ readonly words: PrefixTree.Words; readonly length: number }> {
    const at = this.networks.items[number]!
    if (at === absent) return []
    const { items } = this.words
    const words = Array.from({ length: items[at + 1]! }, (_, i) => items[at + 2 + i]!)
    return [{ words, length: items[at]! }]
  }

  private host(host: TargetPattern.HostPattern): number {
    switch (host._tag) {
      case "Name":
        return this.number(kinds.name, host.name)
      case "Suffix":
        return this.number(kinds.suffix, host.suffix)
      case "Network":
        return this.number(kinds.network, TargetPattern.format({ host }), host.network)
      case "Any":
        return this.number(kinds.any, "")
      case "AnyName":
        return this.number(kinds.anyName, "")
    }
  }

  private number(kind: number, text: string, network?: IpNetwork.IpNetwork): number {
    const { size } = this
    const number = this.texts.intern(kind, text)
    if (number === size) {
      this.ports.push(allPorts)
      this.links.push(absent)
      this.networks.push(network === undefined ? absent : this.entered(network))
    }
    return number
  }

  private entered({ address, prefixLength }: IpNetwork.IpNetwork): number {
    const words = PrefixTree.wordsOf(address)
    const at = this.words.push(prefixLength)
    this.words.push(words.length)
    for (let i = 0; i < words.length; i++) this.words.push(words[i]!)
    return at
  }
}
