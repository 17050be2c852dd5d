/**
 * A source of connections, as it is written in settings:
 *
 *     192.0.2.10, 2001:db8::10    an address of this machine
 *     2001:db8:1::/64             the addresses of a network, of which one is chosen
 *     eth1                        the addresses of an interface
 */
import type * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Parsers from "./Parsers.ts"

export type EgressSource =
  | { readonly _tag: "Network"; readonly network: IpNetwork.IpNetwork }
  | { readonly _tag: "Interface"; readonly name: string }

export const fromString = (text: string): Option.Option<EgressSource> => {
  const network = Option.filter(
    Parsers.network(text),
    ({ address, prefixLength }) =>
      prefixLength >= (NetAddress.isIpv4Address(address) ? 8 : 16) && !NetAddress.isUnspecified(address)
  )
  if (Option.isSome(network)) return Option.some({ _tag: "Network", network: network.value })
  // Names of the kernel have at most 15 characters. A wrong address is no name, nor is a word of other settings.
  return /^(?![\d.]+$|(?:off|none|auto|any)$)[\w.@-]{1,15}$/.test(text)
    ? Option.some({ _tag: "Interface", name: text })
    : Option.none()
}

export const expected =
  "an address such as 192.0.2.10, a network such as 2001:db8:1::/64, or the name of an interface such as eth1"

/** Whether one of several addresses has to be chosen. */
export const isChosen = (source: EgressSource): boolean =>
  source._tag === "Network" && source.network.prefixLength < NetAddress.width(source.network.address)
