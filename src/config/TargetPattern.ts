/**
 * Patterns of targets in settings and rules:
 *
 *     *                every target
 *     **               every name, and no address
 *     db.example       this name
 *     *.example        the names below example, however deep, and not example itself
 *     10.0.0.5         this address
 *     10.0.0.0/8       the addresses of this network
 *     …:443            any of these, at this port
 *     …:8000-8999      at one of these ports
 *
 * IPv6 goes in brackets where there is a port: `[fd00::/8]:22`.
 */
import * as Host from "effect/net/Host"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Parsers from "./Parsers.ts"

export interface TargetPattern {
  readonly host: HostPattern
  /** Undefined for all ports. */
  readonly ports?: Parsers.PortRange
}

export type HostPattern =
  | { readonly _tag: "Any" }
  | { readonly _tag: "AnyName" }
  /** In lower case and without a dot at its end, as in a `Target`. */
  | { readonly _tag: "Name"; readonly name: Host.DomainName }
  /** All names that end in a dot and the suffix. */
  | { readonly _tag: "Suffix"; readonly suffix: Host.DomainName }
  /** A single address is a network with the longest prefix. IPv4 in IPv6 form (`::ffff:…`) is IPv4. */
  | { readonly _tag: "Network"; readonly network: IpNetwork.IpNetwork }

/** Parses one of the forms above. */
export const fromString = (text: string): Option.Option<TargetPattern> => {
  const host = simpleName(text)
  if (host !== undefined) return Option.some({ host })
  return parseAny(text)
}

/** The usual form of a name, parsed fast for long lists; `parseAny` would give the same. */
const simpleName = (text: string): HostPattern | undefined => {
  if (text.length > 200 || text.includes("--") || !simple.test(text)) return undefined
  return text.startsWith("*.")
    ? { _tag: "Suffix", suffix: text.slice(2) as Host.DomainName }
    : { _tag: "Name", name: text as Host.DomainName }
}

const simple = /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/

const parseAny = (text: string): Option.Option<TargetPattern> => {
  // Without brackets, a text with two colons or more is an IPv6 address.
  const isBare = /^[^[\]]*:[^[\]]*:[^[\]]*$/.test(text)
  const [, bracketed, plain = "", digits] =
    /^(?:\[([^[\]]*:[^[\]]*)\]|([^:[\]]*))(?::([\d-]+))?$/.exec(text) ?? []
  const host = isBare ? network(text) : bracketed === undefined ? hostPattern(plain) : network(bracketed)
  if (digits === undefined) return Option.map(host, (host) => ({ host }))
  return Option.zipWith(host, ports(digits), (host, ports) => ({ host, ports }))
}

/** The text that `fromString` reads. Equal patterns have equal texts. */
export const format = ({ host, ports }: TargetPattern): string => {
  const text = formatHost(host)
  if (ports === undefined) return text
  const [first, last] = ports
  const isBracketed = host._tag === "Network" && NetAddress.isIpv6Address(host.network.address)
  return `${isBracketed ? `[${text}]` : text}:${first === last ? first : `${first}-${last}`}`
}

/** Whether the pattern has this name of a `Target`. A network has no names. */
export const matchesName = (host: HostPattern, name: string): boolean => {
  switch (host._tag) {
    case "Any":
    case "AnyName":
      return true
    case "Name":
      return name === host.name
    case "Suffix":
      return name.endsWith(host.suffix) && name[name.length - host.suffix.length - 1] === "."
    case "Network":
      return false
  }
}

/** Whether the pattern has this port. */
export const matchesPort = ({ ports }: TargetPattern, port: number): boolean =>
  ports === undefined || (ports[0] <= port && port <= ports[1])

const hostPattern = (text: string): Option.Option<HostPattern> => {
  if (text === "*") return Option.some({ _tag: "Any" })
  if (text === "**") return Option.some({ _tag: "AnyName" })
  if (text.startsWith("*.")) return Option.map(name(text.slice(2)), (suffix) => ({ _tag: "Suffix", suffix }))
  return Option.orElse(network(text), () =>
    Option.map(name(text), (name): HostPattern => ({ _tag: "Name", name }))
  )
}

const name = (text: string): Option.Option<Host.DomainName> =>
  Result.getSuccess(Host.domainNameFromString(text)).pipe(
    Option.filter((name) => name !== "."),
    Option.map(Host.toRelative)
  )

const network = (text: string): Option.Option<HostPattern> =>
  Option.map(Parsers.network(text), (network) => ({ _tag: "Network", network: canonical(network) }))

/** The network in canonical form, because targets have their addresses in canonical form. */
const canonical = (network: IpNetwork.IpNetwork): IpNetwork.IpNetwork =>
  NetAddress.isIpv6Address(network.address) && network.prefixLength >= 96
    ? IpNetwork.makeUnsafe(
        NetAddress.toCanonical(network.address),
        network.prefixLength - (NetAddress.isIpv4Mapped(network.address) ? 96 : 0)
      )
    : network

const ports = (text: string): Option.Option<Parsers.PortRange> =>
  Parsers.portRange(text.includes("-") ? text : `${text}-${text}`)

const formatHost = (host: HostPattern): string => {
  switch (host._tag) {
    case "Any":
      return "*"
    case "AnyName":
      return "**"
    case "Name":
      return host.name
    case "Suffix":
      return `*.${host.suffix}`
    case "Network": {
      const { address, prefixLength } = host.network
      return prefixLength === NetAddress.width(address)
        ? NetAddress.formatIp(address)
        : IpNetwork.format(host.network)
    }
  }
}
