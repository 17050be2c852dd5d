/**
 * The networks that an address is in, out of many: a step for each network that
 * contains the address, however many others there are.
 *
 * A binary tree for each family in which every node stands for a prefix, and
 * only prefixes at which networks end or part have one. Two nodes a network are
 * enough, kept in arrays of integers.
 */
import * as NetAddress from "effect/net/NetAddress"
import { Ints } from "./Ints.ts"

export class PrefixTree {
  private readonly v4 = new Tree(1)
  private readonly v6 = new Tree(4)

  /** Puts a network in, as the first bits of its address, with its position, which `match` finds. */
  add(network: Words, length: number, position: number): void {
    const tree = network.length === 1 ? this.v4 : this.v6
    tree.add(network, length, position)
  }

  /** Puts the positions of the networks that an address is in behind what is found already, the widest first. */
  match(address: NetAddress.IpAddress, found: Array<number>): void {
    const tree = NetAddress.isIpv4Address(address) ? this.v4 : this.v6
    tree.match(wordsOf(address), found)
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
  private readonly prefixes = new Ints()
  private readonly lengths = new Ints()
  /** By the bit that follows the prefix; 0, the root, is nobody's child. */
  private readonly children = new Ints()
  /** The network that a node is; nothing is -1. */
  private readonly positions = new Ints()

  constructor(words: number) {
    this.words = words
    this.node([0, 0, 0, 0], 0)
  }

  add(network: Words, length: number, position: number): void {
    let node = 0
    while (length > this.lengths.items[node]!) {
      const edge = 2 * node + bit(network, this.lengths.items[node]!)
      const child = this.children.items[edge]!
      if (child === 0) {
        node = this.node(network, length)
        this.children.items[edge] = node
        break
      }
      const common = Math.min(this.common(child, network), this.lengths.items[child]!, length)
      if (common < this.lengths.items[child]!) {
        // They part within the child's prefix.
        const fork = this.node(network, common)
        this.children.items[edge] = fork
        this.children.items[2 * fork + this.bitOf(child, common)] = child
        node = fork
      } else node = child
    }
    this.positions.items[node] = position
  }

  match(address: Words, found: Array<number>): void {
    for (let node = 0; ; ) {
      const length = this.lengths.items[node]!
      if (this.common(node, address) < length) return
      if (this.positions.items[node] !== -1) found.push(this.positions.items[node]!)
      if (length === 32 * this.words) return
      node = this.children.items[2 * node + bit(address, length)]!
      if (node === 0) return
    }
  }

  private node(prefix: Words, length: number): number {
    for (let i = 0; i < this.words; i++) this.prefixes.push(prefix[i]!)
    this.children.push(0)
    this.children.push(0)
    this.positions.push(-1)
    return this.lengths.push(length)
  }

  /** How many of the first bits agree, those behind the node's prefix among them. */
  private common(node: number, address: Words): number {
    for (let i = 0; i < this.words; i++) {
      const difference = this.prefixes.items[node * this.words + i]! ^ address[i]!
      if (difference !== 0) return 32 * i + Math.clz32(difference)
    }
    return 32 * this.words
  }

  private bitOf(node: number, position: number): number {
    return (this.prefixes.items[node * this.words + (position >>> 5)]! >>> (31 - (position & 31))) & 1
  }
}

/** At a position from the left. */
export const bit = (address: Words, position: number): number =>
  (address[position >>> 5]! >>> (31 - (position & 31))) & 1
