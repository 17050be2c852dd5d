/**
 * Addresses and networks as four signed integers of 32 bits, which are compared
 * without allocation. An IPv4 address uses only the last integer.
 */
import type * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"

export interface IpBits {
  readonly isIpv4: boolean
  readonly w0: number
  readonly w1: number
  readonly w2: number
  readonly w3: number
}

export const ofAddress = (address: NetAddress.IpAddress): IpBits => {
  if (NetAddress.isIpv4Address(address)) {
    const [a, b, c, d] = NetAddress.ipv4ToOctets(address)
    return ofIpv4((a << 24) | (b << 16) | (c << 8) | d)
  }
  const [s0, s1, s2, s3, s4, s5, s6, s7] = NetAddress.ipv6ToSegments(address)
  return {
    isIpv4: false,
    w0: (s0 << 16) | s1,
    w1: (s2 << 16) | s3,
    w2: (s4 << 16) | s5,
    w3: (s6 << 16) | s7
  }
}

export const ofIpv4 = (word: number): IpBits => ({ isIpv4: true, w0: 0, w1: 0, w2: 0, w3: word })

/** A network: a mask of the bits of its prefix, and the values of these bits. */
export interface Prefix {
  readonly bits: IpBits
  readonly mask: IpBits
}

export const prefix = ({ address, prefixLength }: IpNetwork.IpNetwork): Prefix => {
  const bits = ofAddress(address)
  const { isIpv4 } = bits
  if (isIpv4) return { bits, mask: ofIpv4(ones(prefixLength)) }
  const mask = {
    isIpv4,
    w0: ones(prefixLength),
    w1: ones(prefixLength - 32),
    w2: ones(prefixLength - 64),
    w3: ones(prefixLength - 96)
  }
  return { bits, mask }
}

/** A word with this many high bits set. */
const ones = (count: number): number => (count <= 0 ? 0 : count >= 32 ? -1 : -1 << (32 - count))

/** Compares first the words that differ between most networks: the first word of IPv6, and the only word of IPv4. */
export const contains = ({ bits, mask }: Prefix, words: IpBits): boolean =>
  (words.w0 & mask.w0) === bits.w0 &&
  (words.w3 & mask.w3) === bits.w3 &&
  (words.w1 & mask.w1) === bits.w1 &&
  (words.w2 & mask.w2) === bits.w2 &&
  words.isIpv4 === bits.isIpv4
