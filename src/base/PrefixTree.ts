/**
 * Finds the networks that contain an address. A look-up takes about one step for
 * each network that contains the address, however many other networks there are.
 *
 * The networks of each address family are in a binary tree. A node stands for a
 * prefix. Only prefixes at which a network ends, or two networks part, have a node,
 * so there are at most two nodes for each network. The nodes are in arrays of integers.
 */
import * as NetAddress from "effect/net/NetAddress"
import { Ints } from "./Ints.ts"

export class PrefixTree {
  private readonly v4 = new Tree(1)
  private readonly v6 = new Tree(4)

  /** Adds a network: the first `length` bits of `network`. `match` returns the position. */
  add(network: Words, length: number, position: number): void {
    const tree = network.length === 1 ? this.v4 : this.v6
    tree.add(network, length, position)
  }

  /** Appends to `found` the positions of the networks that contain an address, the widest network first. */
  match(address: NetAddress.IpAddress, found: Array<number>): void {
    const tree = NetAddress.isIpv4Address(address) ? this.v4 : this.v6
    tree.match(wordsOf(address), found)
  }
}

export type Words = ArrayLike<number>

/** An address as words of 32 bits, the highest first. */
export const wordsOf = (address: NetAddress.IpAddress): Words => {
  if (NetAddress.isIpv4Address(address)) {
    const [a, b, c, d] = NetAddress.ipv4ToOctets(address)
    return [((a << 24) | (b << 16) | (c << 8) | d) >>> 0]
  }
  const [a, b, c, d, e, f, g, h] = NetAddress.ipv6ToSegments(address)
  return [(a << 16) | b, (c << 16) | d, (e << 16) | f, (g << 16) | h]
}

class Tree {
  /** The number of words in a prefix: 1 for IPv4, 4 for IPv6. */
  private readonly words: number
  private readonly prefixes = new Ints()
  private readonly lengths = new Ints()
  /** Two children for each node, by the bit after the node's prefix. 0 stands for no child, as the root is no child. */
  private readonly children = new Ints()
  /** The position of the network with the node's prefix; -1 if there is none. */
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
        // The new network parts from the child within the child's prefix.
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

  /** The number of first bits that the node and the address have in common, also after the node's prefix. */
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

/** The bit at a position, counted from the highest. */
export const bit = (address: Words, position: number): number =>
  (address[position >>> 5]! >>> (31 - (position & 31))) & 1
