/**
 * Numbers for everything that rules name: users, groups, networks, host names. A
 * condition of a rule is then a list of numbers, and very many rules are a few
 * large arrays.
 */
import type * as IpNetwork from "effect/net/IpNetwork"
import { Ints } from "../base/Ints.ts"
import * as PrefixTree from "../base/PrefixTree.ts"
import { TextTable, type TextTableParts } from "../base/TextTable.ts"
import type { PortRange } from "./Parsers.ts"

/** Instead of a number, where there is none. */
export const absent = -1

/** A range of ports as one integer: the first port in the lower half, the last port in the upper half. */
export const packed = ([first, last]: PortRange): number => first | (last << 16)

export const unpacked = (ports: number): PortRange => [ports & 65_535, ports >>> 16]

export const allPorts = packed([0, 65_535])

export const isIn = (ports: number, port: number): boolean => (ports & 65_535) <= port && port <= ports >>> 16

export interface RuleSymbolsParts {
  readonly kinds: ReadonlyArray<string>
  readonly texts: TextTableParts
  readonly ports: Int32Array
  readonly networks: Int32Array
  readonly links: Int32Array
  readonly words: Int32Array
}

export class RuleSymbols {
  readonly texts: TextTable
  /** The names of the kinds of symbols, each at its number in `texts`. */
  private readonly kinds: Array<string>
  /** For each symbol, its ports. */
  private readonly ports: Ints
  /** For each symbol, where its network begins in `words`, or `absent`. */
  private readonly networks: Ints
  /**
   * For each symbol, the last symbol made of it by `atPorts`, and from there the one before. A symbol
   * that has been narrowed exists also where no rule names it at all ports.
   */
  private readonly links: Ints
  /** For each network the length of its prefix, how many words follow, and the words. */
  private readonly words: Ints

  /** Without symbols, or with those of another table, given its parts. */
  constructor(parts?: RuleSymbolsParts) {
    this.kinds = [...(parts?.kinds ?? [])]
    this.texts = new TextTable(parts?.texts)
    this.ports = new Ints(parts?.ports)
    this.networks = new Ints(parts?.networks)
    this.links = new Ints(parts?.links)
    this.words = new Ints(parts?.words)
  }

  /** The whole table as data, to be copied to another process. */
  get parts(): RuleSymbolsParts {
    const { kinds, texts, ports, networks, links, words } = this
    return {
      kinds,
      texts: texts.parts,
      ports: ports.all,
      networks: networks.all,
      links: links.all,
      words: words.all
    }
  }

  get size(): number {
    return this.texts.size
  }

  /** The symbol of a text, which is added if it is new; then with its network, if it stands for one. */
  intern(kind: string, text: string, network?: IpNetwork.IpNetwork): number {
    const { size } = this
    const number = this.texts.intern(this.kindNumber(kind), text)
    if (number === size) this.enter(allPorts, network === undefined ? absent : this.entered(network), absent)
    return number
  }

  /** The symbol of another one at some ports only. The text says both. */
  atPorts(whole: number, kind: string, text: string, ports: PortRange): number {
    const { size } = this
    const number = this.texts.intern(this.kindNumber(kind), text)
    if (number === size) {
      this.enter(packed(ports), this.networks.items[whole]!, this.links.items[whole]!)
      this.links.items[whole] = number
    }
    return number
  }

  /** Appends a symbol, and those of its `atPorts` that have the port. */
  narrow(whole: number, port: number, found: Array<number>): void {
    found.push(whole)
    const { items } = this.links
    for (let at = items[whole]!; at !== absent; at = items[at]!)
      if (isIn(this.portsOf(at), port)) found.push(at)
  }

  /** The number of a kind; `absent` if no symbol is of this kind. */
  kindOf(kind: string): number {
    return this.kinds.indexOf(kind)
  }

  /** The name of a symbol's kind. */
  kindNameOf(number: number): string {
    return this.kinds[this.texts.kind(number)]!
  }

  textOf(number: number): string {
    return this.texts.text(number)
  }

  /** Packed; all ports unless the symbol was made by `atPorts`. */
  portsOf(number: number): number {
    return this.ports.items[number]!
  }

  /** Whether the symbol stands for a network, or for one at some ports. */
  isNetwork(number: number): boolean {
    return this.networks.items[number] !== absent
  }

  /** The network that the symbol stands for; none for others. */
  prefixOf(number: number): ReadonlyArray<{ readonly words: PrefixTree.Words; readonly length: number }> {
    const at = this.networks.items[number]!
    if (at === absent) return []
    const { items } = this.words
    const words = Array.from({ length: items[at + 1]! }, (_, i) => items[at + 2 + i]!)
    return [{ words, length: items[at]! }]
  }

  private kindNumber(kind: string): number {
    const known = this.kinds.indexOf(kind)
    return known === absent ? this.kinds.push(kind) - 1 : known
  }

  private enter(ports: number, network: number, link: number): void {
    this.ports.push(ports)
    this.networks.push(network)
    this.links.push(link)
  }

  private entered({ address, prefixLength }: IpNetwork.IpNetwork): number {
    const words = PrefixTree.wordsOf(address)
    const at = this.words.push(prefixLength)
    this.words.push(words.length)
    for (let i = 0; i < words.length; i++) this.words.push(words[i]!)
    return at
  }
}
