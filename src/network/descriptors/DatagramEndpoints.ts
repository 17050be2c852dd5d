/**
 * The addresses of datagrams, as the kernel writes them (`SocketAddress`).
 *
 * A sender that was seen lately is found by comparing its bytes: for most datagrams no address is made.
 */
import * as NetAddress from "effect/net/NetAddress"
import type { UdpEndpoint } from "../UdpSocket.ts"
import * as SocketAddress from "./SocketAddress.ts"

/** 32-bit words of a socket address: of IPv4 without the zeros at its end, of IPv6 with the zone. */
const words = { ipv4: 2, ipv6: 7 }

/** Of IPv6. It is no part of the address. */
const flowLabel = 1

/** The number of senders that are remembered, a power of two. One that takes the place of another costs only time. */
const places = 512

export class DescriptorEndpoint implements UdpEndpoint {
  readonly key: string
  readonly words: Int32Array
  private address: NetAddress.InetAddress | undefined

  constructor(words: Int32Array) {
    this.words = words
    this.key = words.join()
  }

  get at(): NetAddress.InetAddress {
    this.address ??= SocketAddress.read({ bytes: Buffer.from(this.words.buffer) })
    return this.address
  }

  /** Bytes of the address as system calls take it. */
  get size(): number {
    return this.words.length === words.ipv4 ? 16 : 28
  }

  /** Writes the address, from this word on. */
  write(to: Int32Array, word: number): void {
    const own = this.words
    for (let index = 0; index < own.length; index++) to[word + index] = own[index]!
    if (own.length === words.ipv4) to[word + 2] = to[word + 3] = 0
  }

  isAt(ints: Int32Array, word: number): boolean {
    const own = this.words
    if (own[0] !== ints[word]) return false
    if (own.length === words.ipv4) return own[1] === ints[word + 1]
    for (let index = flowLabel + 1; index < own.length; index++) {
      if (own[index] !== ints[word + index]) return false
    }
    return true
  }
}

export const endpoint = ({ address, port }: NetAddress.InetAddress): DescriptorEndpoint => {
  const ints = new Int32Array(words.ipv6)
  SocketAddress.write({ bytes: Buffer.from(ints.buffer) }, address, port)
  return new DescriptorEndpoint(NetAddress.isIpv4Address(address) ? ints.slice(0, words.ipv4) : ints)
}

/** Remembers senders. */
export class DatagramEndpoints {
  private readonly known: Array<DescriptorEndpoint | undefined> = new Array(places).fill(undefined)

  /** The endpoint whose address begins at this word. */
  at(ints: Int32Array, word: number, isIpv4: boolean): DescriptorEndpoint {
    const last = isIpv4 ? ints[word + 1]! : ints[word + 5]! ^ ints[word + 4]! ^ ints[word + 3]!
    const mixed = Math.imul(ints[word]! ^ last, 0x9e37_79b1)
    const place = (mixed ^ (mixed >>> 15)) & (places - 1)
    const known = this.known[place]
    if (known?.isAt(ints, word)) return known
    const own = ints.slice(word, word + (isIpv4 ? words.ipv4 : words.ipv6))
    if (!isIpv4) own[flowLabel] = 0
    const made = new DescriptorEndpoint(own)
    this.known[place] = made
    return made
  }
}
