/**
 * IPv4 addresses embedded in IPv6 addresses. Tunnels and translators forward packets to the
 * embedded address, so the embedded address is judged as well.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as IpBits from "../base/IpBits.ts"

interface Form {
  /** Completes the sentence "… is 10.0.0.5 …". */
  readonly where: string
  readonly has: (words: IpBits.IpBits) => boolean
  /** The IPv4 addresses embedded in an address of this form. */
  readonly addresses: (words: IpBits.IpBits) => ReadonlyArray<number>
  /** Whether only one of several places has the embedded address, and which place is not known. */
  readonly isAmbiguous: boolean
}

/**
 * The forms of an address; most addresses have none. An address can have two: a 6to4
 * or Teredo prefix with the end of an ISATAP address.
 */
export const formsOf = (words: IpBits.IpBits): ReadonlyArray<Form> => {
  if (words.isIpv4) return none
  let found: Array<Form> | undefined
  for (const form of forms) {
    if (!form.has(words)) continue
    if (found) found.push(form)
    else found = [form]
  }
  return found ?? none
}

const none: ReadonlyArray<never> = []

/** The IPv4 addresses to which an address leads through a tunnel or a translator; empty for most addresses. */
export const within = (address: NetAddress.IpAddress): ReadonlyArray<NetAddress.Ipv4Address> => {
  if (NetAddress.isIpv4Address(address)) return []
  const words = IpBits.ofAddress(address)
  return formsOf(words)
    .flatMap((form) => form.addresses(words))
    .map((word) => NetAddress.ipv4FromBytesUnsafe(Uint8Array.of(word >>> 24, word >>> 16, word >>> 8, word)))
}

const under = (network: string) => {
  const prefix = IpBits.prefix(IpNetwork.fromStringUnsafe(network))
  return (words: IpBits.IpBits) => IpBits.contains(prefix, words)
}

/** The 32 bits of two consecutive words that begin `shift` bits into the first word. */
const across = (high: number, low: number, shift: number): number => (high << shift) | (low >>> (32 - shift))

const last = ({ w3 }: IpBits.IpBits) => [w3]

const compatible = under("::/96")

const forms: ReadonlyArray<Form> = [
  {
    where: "in IPv6 form (RFC 4291)",
    has: under("::ffff:0:0/96"),
    addresses: last,
    isAmbiguous: false
  },
  {
    where: "in IPv6 form (RFC 4291)",
    // :: and ::1 have no embedded address.
    has: (words) => compatible(words) && words.w3 >>> 1 !== 0,
    addresses: last,
    isAmbiguous: false
  },
  {
    where: "behind a translator (RFC 2765)",
    has: under("::ffff:0:0:0/96"),
    addresses: last,
    isAmbiguous: false
  },
  {
    where: "behind a translator (RFC 6052)",
    has: under("64:ff9b::/96"),
    addresses: last,
    isAmbiguous: false
  },
  {
    where: "behind a translator (RFC 8215)",
    has: under("64:ff9b:1::/48"),
    // RFC 6052 §2.2, prefixes of 48, 56, 64 and 96 bits: around bits 64 to 71, which are always zero.
    addresses: ({ w1, w2, w3 }) => [
      (w1 << 16) | ((w2 >>> 8) & 0xffff),
      (w1 << 24) | (w2 & 0x00ff_ffff),
      across(w2, w3, 8),
      w3
    ],
    isAmbiguous: true
  },
  {
    where: "at the end of a tunnel (RFC 3056)",
    has: under("2002::/16"),
    addresses: ({ w0, w1 }) => [across(w0, w1, 16)],
    isAmbiguous: false
  },
  {
    where: "at the end of a tunnel (RFC 4380)",
    has: under("2001::/32"),
    // The server of the tunnel, and the client with every bit inverted.
    addresses: ({ w1, w3 }) => [w1, ~w3],
    isAmbiguous: false
  },
  {
    where: "at the end of a tunnel (RFC 5214)",
    // In any network. The bits "universal" and "group" can have any value.
    has: ({ w2 }) => (w2 & ~0x0300_0000) === 0x5efe,
    addresses: last,
    isAmbiguous: false
  }
]
