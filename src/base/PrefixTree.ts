/**
 * Which of many networks an address is in: in a step for each of those that
 * contain one another, however many there are.
 *
 * A binary tree for each family in which every node stands for a prefix, and
 * only prefixes at which networks end or part have one. Two nodes a network are
 * enough, kept in arrays of integers.
 */
import type * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Slices from "./Slices.ts"

export interface PrefixTree {
  /** Puts the positions of the networks that an address is in behind what is found already, the widest first. */
  readonly match: (address: NetAddress.IpAddress, found: Array<number>) => void
}

/** Of networks that all differ. */
export const make = (networks: ReadonlyArray<IpNetwork.IpNetwork>): PrefixTree =>
  Slices.runSync(making(networks))

/** The same in pieces. */
export function* making(networks: ReadonlyArray<IpNetwork.IpNetwork>): Slices.Work<PrefixTree> {
  const count = networks.reduce((sum, { address }) => sum + (NetAddress.isIpv4Address(address) ? 1 : 0), 0)
  const v4 = new Tree(1, count)
  const v6 = new Tree(4, networks.length - count)
  yield* Slices.each(networks, ({ address, prefixLength }, position) => {
    if (NetAddress.isIpv4Address(address)) v4.add(wordsOf(address), prefixLength, position)
    else v6.add(wordsOf(address), prefixLength, position)
  })
  return {
    match: (address, found) => (NetAddress.isIpv4Address(address) ? v4 : v6).match(wordsOf(address), found)
  }
}

export type Words = ArrayLike<number>

/** 32 bits each, from the left. */
export const wordsOf = (address: NetAddress.IpAddress): Words => {
  if (NetAddress.isIpv4Address(address)) {
    const [a, b, c, d] = NetAddress.ipv4ToOctets(address)
    return [((a << 24) | (b << 16) | (c << 8) | d) >>> 0]
  }
  const [a, b, c, d, e, f, g, h] = NetAddress.ipv6ToSegments(address)
  return [(a << 16) | b, (c << 16) | d, (e << 16) | f, (g << 16) | h]
}

class Tree {
  /** How many there are in a node's prefix. */
  private readonly words: number
  private readonly prefixes: Int32Array
  private readonly lengths: Uint8Array
  /** By the bit that follows the prefix; 0, the root, is nobody's child. */
  private readonly children: Int32Array
  /** The network that a node is; nothing is -1. */
  private readonly positions: Int32Array
  private size = 1

  constructor(words: number, networks: number) {
    const most = 2 * networks + 1
    this.words = words
    this.prefixes = new Int32Array(most * words)
    this.lengths = new Uint8Array(most)
    this.children = new Int32Array(most * 2)
    this.positions = new Int32Array(most).fill(-1)
  }

  add(network: Words, length: number, position: number): void {
    let node = 0
    while (length > this.lengths[node]!) {
      const edge = 2 * node + bit(network, this.lengths[node]!)
      const child = this.children[edge]!
      if (child === 0) {
        node = this.node(network, length)
        this.children[edge] = node
        break
      }
      const common = Math.min(this.common(child, network), this.lengths[child]!, length)
      if (common < this.lengths[child]!) {
        // They part within the child's prefix.
        const fork = this.node(network, common)
        this.children[edge] = fork
        this.children[2 * fork + this.bitOf(child, common)] = child
        node = fork
      } else node = child
    }
    this.positions[node] = position
  }

  match(address: Words, found: Array<number>): void {
    for (let node = 0; ; ) {
      const length = this.lengths[node]!
      if (this.common(node, address) < length) return
      if (this.positions[node] !== -1) found.push(this.positions[node]!)
      if (length === 32 * this.words) return
      node = this.children[2 * node + bit(address, length)]!
      if (node === 0) return
    }
  }

  private node(prefix: Words, length: number): number {
    const node = this.size++
    for (let i = 0; i < this.words; i++) this.prefixes[node * this.words + i] = prefix[i]!
    this.lengths[node] = length
    return node
  }

  /** How many of the first bits agree, those behind the node's prefix among them. */
  private common(node: number, address: Words): number {
    for (let i = 0; i < this.words; i++) {
      const difference = this.prefixes[node * this.words + i]! ^ address[i]!
      if (difference !== 0) return 32 * i + Math.clz32(difference)
    }
    return 32 * this.words
  }

  private bitOf(node: number, position: number): number {
    return (this.prefixes[node * this.words + (position >>> 5)]! >>> (31 - (position & 31))) & 1
  }
}

/** At a position from the left. */
export const bit = (address: Words, position: number): number =>
  (address[position >>> 5]! >>> (31 - (position & 31))) & 1
