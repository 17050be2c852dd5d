/**
 * The addresses of a network interface, as they are now.
 */
import { networkInterfaces } from "node:os"
import * as NetAddress from "effect/net/NetAddress"

/** The first address of this family that is not link-local; undefined if the interface has none, or is not there. */
export const find = (name: string, isIpv4: boolean): NetAddress.IpAddress | undefined =>
  (networkInterfaces()[name] ?? [])
    .filter(({ family }) => (family === "IPv4") === isIpv4)
    .map(({ address }) => NetAddress.ipFromStringUnsafe(address))
    .find((address) => !NetAddress.isLinkLocal(address))
