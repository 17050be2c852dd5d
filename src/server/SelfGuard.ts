/**
 * A server that connects to itself: each turn costs it two more descriptors, and
 * nobody wants what is at the end.
 */
import { networkInterfaces } from "node:os"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as NetAddress from "effect/net/NetAddress"
import type { TargetPattern } from "../config/TargetPattern.ts"
import { NotAllowed } from "../Errors.ts"
import type { Dialer } from "../network/Dialer.ts"

/**
 * The same dialer, but for the addresses of these listeners, by whatever name
 * they were asked for. One address with one port in `allow` is let through.
 */
export const dialer = (
  inner: Dialer["Service"],
  listeners: () => ReadonlyArray<NetAddress.InetAddress>,
  allow: ReadonlyArray<TargetPattern>
): Dialer["Service"] => ({
  connect: (addresses, port) => {
    const samePort = listeners().filter((listener) => listener.port === port)
    if (samePort.length === 0) return inner.connect(addresses, port)
    const isOpen = (address: NetAddress.IpAddress) =>
      !samePort.some((listener) => reaches(address, listener)) ||
      allow.some((pattern) => isExactly(pattern, address, port))
    const others = addresses.filter((address) => isOpen(NetAddress.toCanonical(address)))
    return Arr.isReadonlyArrayNonEmpty(others)
      ? inner.connect(others, port)
      : Effect.fail(new NotAllowed({ reason: "this is the server itself", rule: "address guard" }))
  }
})

/** Whether who connects to this address, at its port, gets the listener. */
const reaches = (address: NetAddress.IpAddress, listener: NetAddress.InetAddress): boolean =>
  Equal.equals(address, listener.address) ||
  // Systems take the unspecified address for this machine.
  NetAddress.isUnspecified(address) ||
  (NetAddress.isUnspecified(listener.address) && isLocal(address))

const isExactly = ({ host, ports }: TargetPattern, address: NetAddress.IpAddress, port: number): boolean =>
  host._tag === "Network" &&
  host.network.prefixLength === NetAddress.width(address) &&
  Equal.equals(host.network.address, address) &&
  ports?.[0] === port &&
  ports[1] === port

const isLocal = (address: NetAddress.IpAddress): boolean => {
  const text = NetAddress.formatIp(address)
  return (
    NetAddress.isLoopback(address) ||
    Object.values(networkInterfaces()).some((all) => all?.some((it) => it.address === text))
  )
}
