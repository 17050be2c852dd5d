/**
 * Keeps clients from targets that only the server can reach: its own machine, its
 * private networks, the metadata service of its cloud.
 *
 * Every address is judged, also the addresses of names, and only judged addresses are
 * dialled. So a name cannot change its addresses in between.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as IpBits from "../base/IpBits.ts"
import * as TargetPattern from "../config/TargetPattern.ts"
import type { Target } from "../wire/Target.ts"
import type { Access } from "./Access.ts"
import * as AllowTarget from "./AllowTarget.ts"
import { classify, type Kind } from "./Classification.ts"
import type { Decision } from "./Decision.ts"
import * as EmbeddedIpv4 from "./EmbeddedIpv4.ts"
import type { LocalAddresses } from "./LocalAddresses.ts"

export interface Options {
  /** Whether clients may reach private and other special addresses, except the few that are always denied. */
  readonly privateTargets: boolean
  /** Targets that are allowed although their addresses are special. Other targets are not affected. */
  readonly allow: ReadonlyArray<AllowTarget.AllowTarget>
  /** Targets that are denied, whatever else is allowed. */
  readonly deny: ReadonlyArray<TargetPattern.TargetPattern>
  /** The addresses of this machine. */
  readonly local: LocalAddresses["Service"]
}

/**
 * A judge of targets, the same for every client. A denied name or port is denied
 * before it is resolved. An address is denied
 *
 * - always, if no host has the address: multicast, broadcast, unspecified;
 * - as a cloud's metadata service, unless `allow` has exactly this address;
 * - as an address of this machine, unless special addresses are allowed, or `allow`
 *   has exactly this address, or the name with `local:`;
 * - as loopback or link-local, unless special addresses are allowed, or `allow` has
 *   the address, or the name with `local:`: the owner of a name chooses the name's
 *   addresses, and must not be able to open this machine;
 * - as any other special address, unless special addresses are allowed, or `allow`
 *   has the address or the name.
 *
 * An IPv4 address embedded in an IPv6 address is judged like the IPv6 address.
 */
export const make = ({
  privateTargets,
  allow,
  deny,
  local
}: Options): ((
  access: Pick<Access, "target">,
  address: NetAddress.IpAddress | undefined,
  now: number
) => Decision) => {
  const denied = deny.map(compile)
  const allowed = allow.map(compile)
  const machine = privateTargets ? undefined : local
  return ({ target }, address, now) => {
    if (target === undefined) return undecided
    for (const pattern of denied) {
      if (hasTarget(pattern, target))
        return denial("deny-target", TargetPattern.format(pattern.source), "denied")
    }
    if (address === undefined) return undecided

    const words = IpBits.ofAddress(address)
    for (const pattern of denied) {
      if (reachesInto(pattern, words, target.port))
        return denial("deny-target", describe(target, address), "denied")
    }

    const finding = classify(words, machine, now)
    if (finding === undefined) return ordinary
    const { kind } = finding
    if (privateTargets && (kind === "special" || kind === "local")) return ordinary
    const isAllowed =
      kind !== "nobody" &&
      allowed.some(
        (pattern) =>
          (pattern.opensByTarget[kind] && hasTarget(pattern, target)) ||
          ((pattern.isExact || kind === "special" || kind === "local") &&
            hasAddress(pattern, words, target.port))
      )
    return isAllowed ? opened : denial("address guard", describe(target, address), finding.is)
  }
}

const undecided: Decision = { verdict: "undecided", rule: "none" }
const ordinary: Decision = { verdict: "allow", rule: "none" }
const opened: Decision = { verdict: "allow", rule: "allow-target" }

interface Pattern {
  readonly source: TargetPattern.TargetPattern
  readonly prefix: IpBits.Prefix | undefined
  /** Whether the pattern is one address. */
  readonly isExact: boolean
  /** The kinds of addresses that the pattern opens if it has the target that the client named. */
  readonly opensByTarget: Readonly<Record<Exclude<Kind, "nobody">, boolean>>
}

const compile = (source: AllowTarget.AllowTarget): Pattern => {
  const { host } = source
  const local = AllowTarget.opensLocal(source)
  const opensByTarget = { special: true, local, own: local, metadata: false }
  if (host._tag !== "Network") return { source, prefix: undefined, isExact: false, opensByTarget }
  const { network } = host
  const isExact = network.prefixLength === NetAddress.width(network.address)
  return { source, prefix: IpBits.prefix(network), isExact, opensByTarget }
}

const denial = (rule: string, what: string, is: string): Decision => ({
  verdict: "deny",
  rule,
  reason: `${what} is ${is}`
})

/** The text of a denied target. The client gets it in the reply, so it does not show the address of a name. */
const describe = ({ host }: Target, address: NetAddress.IpAddress): string =>
  typeof host === "string" ? `an address of ${host}` : NetAddress.formatIp(address)

/** Whether the pattern has the target that the client named. */
const hasTarget = ({ source }: Pattern, { host, port }: Target): boolean =>
  TargetPattern.matchesPort(source, port) &&
  (typeof host === "string" ? TargetPattern.matchesName(source.host, host) : source.host._tag === "Any")

const hasAddress = ({ source, prefix }: Pattern, words: IpBits.IpBits, port: number): boolean =>
  prefix !== undefined && TargetPattern.matchesPort(source, port) && IpBits.contains(prefix, words)

/** Whether the address leads into the pattern's network, also through a tunnel or a translator. */
const reachesInto = (pattern: Pattern, words: IpBits.IpBits, port: number): boolean =>
  hasAddress(pattern, words, port) ||
  (pattern.prefix?.bits.isIpv4 === true &&
    EmbeddedIpv4.formsOf(words).some((form) =>
      form.addresses(words).some((address) => hasAddress(pattern, IpBits.ofIpv4(address), port))
    ))
