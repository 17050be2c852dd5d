/**
 * Networks without IPv4, behind a translator: IPv4 addresses are written as IPv6 addresses under the translator's prefix
 * (RFC 6052). The prefix is given, or found by the name `ipv4only.arpa` (RFC 7050).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Host from "effect/net/Host"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import { NameSettings } from "./NameSettings.ts"
import { Resolver } from "./Resolver.ts"

interface Translator {
  /** The IPv6 address of an IPv4 address, for a machine without IPv4; undefined if there is no translator. */
  readonly translate: (address: NetAddress.Ipv4Address) => Effect.Effect<NetAddress.Ipv6Address | undefined>
  /** The IPv4 address of an address under the prefix, as far as that is known; any other address as it is. */
  readonly original: (address: NetAddress.IpAddress) => NetAddress.IpAddress
}

/** The translator of this machine's network. By default there is none. */
export class Nat64 extends Context.Reference<Translator>("effect-socks/network/Nat64", {
  defaultValue: () => ({ translate: () => Effect.succeed(undefined), original: (address) => address })
}) {
  /** The translator of the setting. Only an address that cannot be reached otherwise makes the prefix be looked for. */
  static readonly layer: Layer.Layer<never, never, NameSettings | Resolver> = Layer.effect(
    Nat64,
    Effect.gen(function* () {
      const { nat64 } = yield* NameSettings
      const { resolve } = yield* Resolver
      let known = typeof nat64 === "string" ? undefined : nat64
      const found =
        nat64 === "auto"
          ? resolve(name).pipe(
              Effect.map((addresses) => addresses.map(prefixIn).find((prefix) => prefix !== undefined)),
              Effect.orElseSucceed(() => undefined)
            )
          : Effect.succeed(known)
      return {
        translate: (address) =>
          Effect.map(found, (prefix) => {
            known = prefix
            return prefix && embed(prefix, address)
          }),
        original: (address) =>
          (known && NetAddress.isIpv6Address(address) ? extract(known, address) : undefined) ?? address
      }
    })
  )
}

/** A prefix of RFC 6052: a network of IPv6 of one of the lengths of `places`. */
type Prefix = IpNetwork.IpNetwork

/** RFC 6052 §2.2: the octets of the IPv4 address, by the length of the prefix. Octet 8 is always zero. */
const places: Readonly<Record<number, readonly [number, number, number, number]>> = {
  32: [4, 5, 6, 7],
  40: [5, 6, 7, 9],
  48: [6, 7, 9, 10],
  56: [7, 9, 10, 11],
  64: [9, 10, 11, 12],
  96: [12, 13, 14, 15]
}

/** The IPv6 address under a prefix that stands for an IPv4 address. */
export const embed = (
  { address, prefixLength }: Prefix,
  ipv4: NetAddress.Ipv4Address
): NetAddress.Ipv6Address => {
  const octets = Uint8Array.from(NetAddress.ipv6ToOctets(address as NetAddress.Ipv6Address))
  const own = NetAddress.ipv4ToOctets(ipv4)
  for (const [index, place] of places[prefixLength]!.entries()) octets[place] = own[index]!
  return NetAddress.ipv6FromBytesUnsafe(octets)
}

/** The IPv4 address for which an address stands; undefined if it is not under the prefix. */
export const extract = (
  prefix: Prefix,
  address: NetAddress.Ipv6Address
): NetAddress.Ipv4Address | undefined =>
  IpNetwork.contains(prefix, address) ? at(address, prefix.prefixLength) : undefined

const at = (address: NetAddress.Ipv6Address, length: number): NetAddress.Ipv4Address => {
  const octets = NetAddress.ipv6ToOctets(address)
  return NetAddress.ipv4FromBytesUnsafe(Uint8Array.from(places[length]!, (place) => octets[place]!))
}

/** RFC 7050 §2.2: a name that has these addresses, and addresses of IPv6 only where a name server translates them. */
const name = Host.domainNameFromStringUnsafe("ipv4only.arpa")
const wellKnown = ["192.0.0.170", "192.0.0.171"]

/** The prefix of a translated address of that name. */
const prefixIn = (address: NetAddress.IpAddress): Prefix | undefined => {
  if (!NetAddress.isIpv6Address(address)) return undefined
  // Longer prefixes first, as RFC 6052 recommends them.
  const length = [96, 64, 56, 48, 40, 32].find((length) =>
    wellKnown.includes(NetAddress.formatIp(at(address, length)))
  )
  return length === undefined ? undefined : IpNetwork.fromAddressUnsafe(address, length)
}
