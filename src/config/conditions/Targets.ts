import type * as Host from "effect/net/Host"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import { absent, type RuleSymbols } from "../RuleSymbols.ts"
import type { SymbolIndex } from "../SymbolIndex.ts"
import * as TargetPattern from "../TargetPattern.ts"
import * as Condition from "./Condition.ts"
import { ports } from "./Ports.ts"
import type { Facts } from "./Term.ts"

/** Completes the sentence "… is not …". */
export const expectedTarget =
  "a name, *.example.com for those below it, ** for all names, * for everything, an address or a network " +
  "such as 10.0.0.0/8; with :443 or :8000-8999 behind it for these ports, and IPv6 in brackets then"

/** The values come from the rule and from its file; an empty list fits no target. */
export const to = Condition.make({
  item: Condition.value<TargetPattern.TargetPattern>({
    read: TargetPattern.fromString,
    expected: expectedTarget
  }),
  description: "Where to",
  quick: (target) =>
    typeof target === "string" ? Option.getOrUndefined(TargetPattern.fromString(target)) : undefined,
  format: TargetPattern.format,
  term: {
    about: "target",
    numberOf: (pattern, symbols) => {
      const host = hostSymbol(pattern.host, symbols)
      return pattern.ports === undefined
        ? host
        : symbols.atPorts(host, "ported", TargetPattern.format(pattern), pattern.ports)
    },
    valueOf: (number, symbols) => patternOf(symbols.kindNameOf(number), symbols.textOf(number)),
    isAlways: (to) => isAnything(to),
    facts: (index) => factsOf(index),
    isByAddress: (number, symbols) => symbols.isNetwork(number)
  },
  includes: (one, other) => {
    if (one.ports !== undefined && !(other.ports && ports.includes(one.ports, other.ports))) return false
    const { host } = other
    switch (host._tag) {
      case "Any":
        return one.host._tag === "Any"
      case "AnyName":
        return one.host._tag === "AnyName" || one.host._tag === "Any"
      case "Name":
        return TargetPattern.matchesName(one.host, host.name)
      case "Suffix":
        // All names below a name below the suffix are below the suffix.
        return TargetPattern.matchesName(one.host, `x.${host.suffix}`) && one.host._tag !== "Name"
      case "Network":
        return one.host._tag === "Network"
          ? IpNetwork.containsNetwork(one.host.network, host.network)
          : one.host._tag === "Any"
    }
  },
  isNever: (to) => to.length === 0
})

const hostSymbol = (host: TargetPattern.HostPattern, symbols: RuleSymbols): number => {
  switch (host._tag) {
    case "Name":
      return symbols.intern("name", host.name)
    case "Suffix":
      return symbols.intern("suffix", host.suffix)
    case "Network":
      return symbols.intern("network", TargetPattern.format({ host }), host.network)
    case "Any":
      return symbols.intern("any", "")
    case "AnyName":
      return symbols.intern("anyName", "")
  }
}

const patternOf = (kind: string, text: string): TargetPattern.TargetPattern => {
  switch (kind) {
    case "name":
      return { host: { _tag: "Name", name: text as Host.DomainName } }
    case "suffix":
      return { host: { _tag: "Suffix", suffix: text as Host.DomainName } }
    case "any":
      return { host: { _tag: "Any" } }
    case "anyName":
      return { host: { _tag: "AnyName" } }
    default:
      return Option.getOrThrow(TargetPattern.fromString(text))
  }
}

/** Names are facts by the name that the client asked for, and networks by the address. */
const factsOf = (index: SymbolIndex): Facts => {
  const { symbols } = index
  const any = index.of("any")?.find("") ?? absent
  const anyName = index.of("anyName")?.find("") ?? absent
  const networks = index.of("network")
  const [name, suffix] = [symbols.kindOf("name"), symbols.kindOf("suffix")]
  const hasNames = name !== absent || suffix !== absent
  return ({ target }, address, found) => {
    if (target === undefined) return
    const { host, port } = target
    if (any !== absent) symbols.narrow(any, port, found)
    const hosts: Array<number> = []
    if (typeof host === "string") {
      if (anyName !== absent) symbols.narrow(anyName, port, found)
      if (hasNames) symbols.texts.findName(host, name, suffix, hosts)
    }
    if (address !== undefined) networks?.match(address, hosts)
    for (let i = 0; i < hosts.length; i++) symbols.narrow(hosts[i]!, port, found)
  }
}

/** Whether targets are all there are: `*`, or both families. */
const isAnything = (to: ReadonlyArray<TargetPattern.TargetPattern>): boolean => {
  if (to.length === 1) return to[0]!.ports === undefined && to[0]!.host._tag === "Any"
  const everywhere = to.filter(
    ({ host, ports }) =>
      ports === undefined &&
      (host._tag === "Any" || (host._tag === "Network" && host.network.prefixLength === 0))
  )
  return (
    everywhere.some(({ host }) => host._tag === "Any") ||
    new Set(everywhere.map((pattern) => TargetPattern.format(pattern))).size === 2
  )
}
