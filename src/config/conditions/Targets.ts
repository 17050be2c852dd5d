import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as TargetPattern from "../TargetPattern.ts"
import * as Condition from "./Condition.ts"
import { ports } from "./Ports.ts"

/** Completes the sentence "… is not …". */
export const expectedTarget =
  "a name, *.example.com for those below it, ** for all names, * for everything, an address or a network " +
  "such as 10.0.0.0/8; with :443 or :8000-8999 behind it for these ports, and IPv6 in brackets then"

/** None at all: nothing fits. */
export const to = Condition.make({
  item: Condition.value<TargetPattern.TargetPattern>({
    is: (u): u is TargetPattern.TargetPattern => Condition.isObject(u),
    read: TargetPattern.fromString,
    write: TargetPattern.format,
    expected: expectedTarget
  }),
  description: "Where to",
  quick: (target) =>
    typeof target === "string" ? Option.getOrUndefined(TargetPattern.fromString(target)) : undefined,
  format: TargetPattern.format,
  holds: (pattern: TargetPattern.TargetPattern, { target }, { addresses }) => {
    const { host } = pattern
    if (target === undefined) return host._tag === "Any" && pattern.ports === undefined ? true : "maybe"
    if (!TargetPattern.matchesPort(pattern, target.port)) return false
    if (host._tag === "Any") return true
    if (host._tag !== "Network") {
      return !NetAddress.isIpAddress(target.host) && TargetPattern.matchesName(host, target.host)
    }
    if (addresses.length === 0) return "maybe"
    return addresses.some((address) => IpNetwork.contains(host.network, address))
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
        // Below itself is whatever is below all that is below it.
        return TargetPattern.matchesName(one.host, `x.${host.suffix}`) && one.host._tag !== "Name"
      case "Network":
        return one.host._tag === "Network"
          ? IpNetwork.containsNetwork(one.host.network, host.network)
          : one.host._tag === "Any"
    }
  }
})
