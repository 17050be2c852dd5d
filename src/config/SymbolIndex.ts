/**
 * The symbols of rules, indexed: which kinds there are, and which networks an address is in.
 */
import type * as NetAddress from "effect/net/NetAddress"
import { PrefixTree } from "../base/PrefixTree.ts"
import type * as Slices from "../base/Slices.ts"
import { allPorts, type RuleSymbols } from "./RuleSymbols.ts"

export interface SymbolIndex {
  readonly symbols: RuleSymbols
  /** The symbols of a kind; undefined if there is none. */
  readonly of: (kind: string) => SymbolsOfKind | undefined
}

interface SymbolsOfKind {
  /** The symbol of a text; `absent` if there is none. */
  readonly find: (text: string) => number
  /** Appends the symbols that are networks with this address, the widest first. */
  readonly match: (address: NetAddress.IpAddress, found: Array<number>) => void
}

export function* build(symbols: RuleSymbols): Slices.Work<SymbolIndex> {
  const { texts } = symbols
  const present = new Set<number>()
  const trees = new Map<number, PrefixTree>()
  for (let number = 0; number < texts.size; number++) {
    const kind = texts.kind(number)
    present.add(kind)
    // A network at some ports is found by way of the network.
    if (symbols.isNetwork(number) && symbols.portsOf(number) === allPorts) {
      const tree = trees.get(kind) ?? new PrefixTree()
      trees.set(kind, tree)
      for (const { words, length } of symbols.prefixOf(number)) tree.add(words, length, number)
    }
    if ((number & 255) === 255) yield
  }
  return ready(symbols, present, trees)
}

/** Separate from `build`, so that the closures keep nothing else of it. */
const ready = (
  symbols: RuleSymbols,
  present: ReadonlySet<number>,
  trees: ReadonlyMap<number, PrefixTree>
): SymbolIndex => ({
  symbols,
  of: (name) => {
    const kind = symbols.kindOf(name)
    if (!present.has(kind)) return undefined
    const { texts } = symbols
    const tree = trees.get(kind)
    return {
      find: (text) => texts.find(kind, text),
      match: (address, found) => tree?.match(address, found)
    }
  }
})
