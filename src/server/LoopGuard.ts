/**
 * Refuses connections of the server to itself. They would be relayed in a loop, and each turn would take two more
 * descriptors.
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as NetAddress from "effect/net/NetAddress"
import type { TargetPattern } from "../config/TargetPattern.ts"
import { NotAllowed } from "../Errors.ts"
import type { Dialer } from "../network/Dialer.ts"
import * as Interfaces from "../network/Interfaces.ts"
import type { Access } from "../policy/Access.ts"
import type { Decision } from "../policy/Decision.ts"
import type { Policy } from "../policy/Policy.ts"

/** Denies connections to these listeners; undefined for other targets. `allow` has the exceptions. */
export const judge =
  (listeners: Listeners, allow: ReadonlyArray<TargetPattern>) =>
  (
    { command, target }: Pick<Access, "command" | "target">,
    address?: NetAddress.IpAddress
  ): Decision | undefined => {
    const where = address ?? target?.host
    return (command === "CONNECT" || command === "FORWARD") &&
      target !== undefined &&
      NetAddress.isIpAddress(where) &&
      isClosed(listeners, allow, where, target.port)
      ? { verdict: "deny", ...denial }
      : undefined
  }

/** The policy `inner`, which also denies these listeners, even if `inner` only reports denials. */
export const policy = (
  inner: Policy["Service"],
  listeners: Listeners,
  allow: ReadonlyArray<TargetPattern>
): Policy["Service"] => {
  const own = judge(listeners, allow)
  return {
    ...inner,
    judge: (access, address) => {
      const decision = own(access, address)
      return decision === undefined ? inner.judge(access, address) : Effect.succeed(decision)
    }
  }
}

/** The dialer `inner`, which also refuses these listeners, whatever the policy allows. */
export const dialer = (
  inner: Dialer["Service"],
  listeners: Listeners,
  allow: ReadonlyArray<TargetPattern>
): Dialer["Service"] => ({
  connect: (address, port) =>
    isClosed(listeners, allow, address, port)
      ? Effect.fail(new NotAllowed(denial))
      : inner.connect(address, port)
})

/** The addresses on which the server listens now. */
type Listeners = () => ReadonlyArray<NetAddress.InetAddress>

const denial = { rule: "address guard", reason: "this is the server itself" }

/** Whether the address and port are of a listener, and not in `allow` as exactly one address with one port. */
const isClosed = (
  listeners: Listeners,
  allow: ReadonlyArray<TargetPattern>,
  at: NetAddress.IpAddress,
  port: number
): boolean => {
  const own = listeners()
  if (!own.some((listener) => listener.port === port)) return false
  const address = NetAddress.toCanonical(at)
  return (
    own.some((listener) => listener.port === port && reaches(address, listener)) &&
    !allow.some((pattern) => isExactly(pattern, address, port))
  )
}

/** Whether a connection to this address reaches the listener, if the ports are the same. */
const reaches = (address: NetAddress.IpAddress, listener: NetAddress.InetAddress): boolean =>
  Equal.equals(address, listener.address) ||
  // The system connects the unspecified address to this machine.
  NetAddress.isUnspecified(address) ||
  (NetAddress.isUnspecified(listener.address) && isLocal(address))

const isExactly = ({ host, ports }: TargetPattern, address: NetAddress.IpAddress, port: number): boolean =>
  host._tag === "Network" &&
  host.network.prefixLength === NetAddress.width(address) &&
  Equal.equals(host.network.address, address) &&
  ports?.[0] === port &&
  ports[1] === port

const isLocal = (address: NetAddress.IpAddress): boolean =>
  NetAddress.isLoopback(address) || Interfaces.addresses().some((own) => Equal.equals(own, address))
