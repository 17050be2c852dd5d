/**
 * Address ranges for special purposes: all ranges of the IANA IPv4 and IPv6
 * Special-Purpose Address Registries (RFC 6890), and ranges of other documents.
 *
 * Ranges that the registries call globally reachable are included: they are services
 * of the network that this server is in (PCP, TURN), or sinks that no client needs
 * (AS112).
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as IpBits from "../base/IpBits.ts"

interface Range {
  readonly prefix: IpBits.Prefix
  /** The name in the registry. */
  readonly name: string
  /** `nobody`: no host has such an address. `local`: loopback and link-local. */
  readonly kind: "special" | "local" | "nobody"
  /** Completes the sentence "… is …", with the document that defines the range. */
  readonly is: string
}

/** The narrowest range with this address; undefined for an ordinary address. */
export const rangeOf = (words: IpBits.IpBits): Range | undefined => {
  for (const range of words.isIpv4 ? ipv4 : ipv6) if (IpBits.contains(range.prefix, words)) return range
  return words.isIpv4 || isGlobalUnicast(words) ? undefined : reserved
}

const range = (
  network: string,
  name: string,
  source: string,
  is: string,
  kind: Range["kind"] = "special"
): Range => ({
  prefix: IpBits.prefix(IpNetwork.fromStringUnsafe(network)),
  name,
  is: `${is} (${source})`,
  kind
})

// Narrow ranges come before the wide ranges that contain them.

const ipv4: ReadonlyArray<Range> = [
  range("0.0.0.0/32", "This host on this network", "RFC 1122", "unspecified", "nobody"),
  range("0.0.0.0/8", "This network", "RFC 791", "of this network"),
  range("10.0.0.0/8", "Private-Use", "RFC 1918", "private"),
  range("100.64.0.0/10", "Shared Address Space", "RFC 6598", "a provider's own"),
  range("127.0.0.0/8", "Loopback", "RFC 1122", "loopback", "local"),
  range("169.254.0.0/16", "Link Local", "RFC 3927", "link-local", "local"),
  range("172.16.0.0/12", "Private-Use", "RFC 1918", "private"),
  range("192.0.0.0/29", "IPv4 Service Continuity Prefix", "RFC 7335", "a translator's"),
  range("192.0.0.8/32", "IPv4 dummy address", "RFC 7600", "a dummy"),
  range("192.0.0.9/32", "Port Control Protocol Anycast", "RFC 7723", "a NAT's control"),
  range("192.0.0.10/32", "Traversal Using Relays around NAT Anycast", "RFC 8155", "the network's relay"),
  range("192.0.0.170/32", "NAT64/DNS64 Discovery", "RFC 8880", "for discovery"),
  range("192.0.0.171/32", "NAT64/DNS64 Discovery", "RFC 8880", "for discovery"),
  range("192.0.0.0/24", "IETF Protocol Assignments", "RFC 6890", "for protocols"),
  range("192.0.2.0/24", "Documentation (TEST-NET-1)", "RFC 5737", "for documentation"),
  range("192.31.196.0/24", "AS112-v4", "RFC 7535", "a sink"),
  range("192.52.193.0/24", "AMT", "RFC 7450", "the network's relay"),
  range("192.88.99.0/24", "Deprecated (6to4 Relay Anycast)", "RFC 7526", "the network's relay"),
  range("192.168.0.0/16", "Private-Use", "RFC 1918", "private"),
  range("192.175.48.0/24", "Direct Delegation AS112 Service", "RFC 7534", "a sink"),
  range("198.18.0.0/15", "Benchmarking", "RFC 2544", "for benchmarks"),
  range("198.51.100.0/24", "Documentation (TEST-NET-2)", "RFC 5737", "for documentation"),
  range("203.0.113.0/24", "Documentation (TEST-NET-3)", "RFC 5737", "for documentation"),
  range("224.0.0.0/4", "Multicast", "RFC 5771", "multicast", "nobody"),
  range("255.255.255.255/32", "Limited Broadcast", "RFC 919", "broadcast", "nobody"),
  range("240.0.0.0/4", "Reserved", "RFC 1112", "reserved")
]

const ipv6: ReadonlyArray<Range> = [
  range("::/128", "Unspecified Address", "RFC 4291", "unspecified", "nobody"),
  range("::1/128", "Loopback Address", "RFC 4291", "loopback", "local"),
  range("::/96", "IPv4-Compatible Address", "RFC 4291", "IPv4 in IPv6"),
  range("::ffff:0:0/96", "IPv4-mapped Address", "RFC 4291", "IPv4 in IPv6"),
  range("::ffff:0:0:0/96", "IPv4-Translated Address", "RFC 2765", "a translator's"),
  range("64:ff9b:1::/48", "IPv4-IPv6 Translat.", "RFC 8215", "a translator's"),
  range("100::/64", "Discard-Only Address Block", "RFC 6666", "a sink"),
  range("100:0:0:1::/64", "Dummy IPv6 Prefix", "RFC 9780", "a dummy"),
  range("2001::/32", "TEREDO", "RFC 4380", "a tunnel's"),
  range("2001:1::1/128", "Port Control Protocol Anycast", "RFC 7723", "a NAT's control"),
  range("2001:1::2/128", "Traversal Using Relays around NAT Anycast", "RFC 8155", "the network's relay"),
  range(
    "2001:1::3/128",
    "DNS-SD Service Registration Protocol Anycast",
    "RFC 9665",
    "the network's registry"
  ),
  range("2001:2::/48", "Benchmarking", "RFC 5180", "for benchmarks"),
  range("2001:3::/32", "AMT", "RFC 7450", "the network's relay"),
  range("2001:4:112::/48", "AS112-v6", "RFC 7535", "a sink"),
  range("2001:10::/28", "Deprecated (previously ORCHID)", "RFC 4843", "no address but a name"),
  range("2001:20::/28", "ORCHIDv2", "RFC 7343", "no address but a name"),
  range(
    "2001:30::/28",
    "Drone Remote ID Protocol Entity Tags (DETs) Prefix",
    "RFC 9374",
    "no address but a name"
  ),
  range("2001::/23", "IETF Protocol Assignments", "RFC 2928", "for protocols"),
  range("2001:db8::/32", "Documentation", "RFC 3849", "for documentation"),
  range("2002::/16", "6to4", "RFC 3056", "a tunnel's"),
  range("2620:4f:8000::/48", "Direct Delegation AS112 Service", "RFC 7534", "a sink"),
  range("3fff::/20", "Documentation", "RFC 9637", "for documentation"),
  range("5f00::/16", "Segment Routing (SRv6) SIDs", "RFC 9602", "a router's"),
  range("fc00::/7", "Unique-Local", "RFC 4193", "private"),
  range("fe80::/10", "Link-Local Unicast", "RFC 4291", "link-local", "local"),
  range("fec0::/10", "Site-Local Unicast", "RFC 3879", "private"),
  range("ff00::/8", "Multicast", "RFC 4291", "multicast", "nobody")
]

/** All IPv6 addresses outside of the ranges and of global unicast. */
const reserved = range("::/0", "Reserved by IETF", "RFC 4291", "reserved")

/**
 * Whether an address is in 2000::/3, from which global unicast addresses are allocated, or is a translator's (RFC
 * 6052).
 */
const isGlobalUnicast = (words: IpBits.IpBits): boolean =>
  words.w0 >>> 29 === 1 || IpBits.contains(translated, words)

const translated = IpBits.prefix(IpNetwork.fromStringUnsafe("64:ff9b::/96"))
