/**
 * The addresses of this machine's network interfaces, as they are now.
 */
import { networkInterfaces } from "node:os"
import * as NetAddress from "effect/net/NetAddress"
import { fromNode } from "./NodeAddress.ts"

/** The addresses of all interfaces. Throws if the system does not report them. */
export const addresses = (): ReadonlyArray<NetAddress.IpAddress> =>
  Object.values(networkInterfaces()).flatMap((all = []) =>
    all.map(({ address }) => fromNode(address, 0).address)
  )

/**
 * The first address of an interface of this family that is not link-local; undefined if the interface has none, or is
 * not there.
 */
export const find = (name: string, isIpv4: boolean): NetAddress.IpAddress | undefined =>
  (networkInterfaces()[name] ?? [])
    .filter(({ family }) => (family === "IPv4") === isIpv4)
    .map(({ address }) => fromNode(address, 0).address)
    .find((address) => !NetAddress.isLinkLocal(address))
