/**
 * Whether only this machine can connect to a listener, by its address; and whether
 * clients may therefore reach private addresses.
 */
import type * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { ListenSettings } from "../network/ListenSettings.ts"
import type { PolicySettings } from "./Settings.ts"

/** The settings that decide this. */
export type Settings = Pick<PolicySettings["Service"], "privateTargets"> &
  Pick<ListenSettings["Service"], "listen" | "unixMode" | "proxyProtocolFrom">

/** Whether only this machine reaches a host. Of names, only localhost is known to be loopback. */
export const isLoopback = (host: Host.Host): boolean =>
  NetAddress.isIpAddress(host) ? NetAddress.isLoopback(NetAddress.toCanonical(host)) : host === "localhost"

/**
 * Whether clients may reach private and other special addresses. Where only this
 * machine can connect, clients reach nothing through the server that they could not
 * reach without it.
 */
export const allowsPrivateTargets = (settings: Settings): boolean =>
  settings.privateTargets === "allow" ||
  (settings.privateTargets === "auto" &&
    // Clients of a proxy in front of this server can be on any machine.
    settings.proxyProtocolFrom.length === 0 &&
    settings.listen.every((at) =>
      isOurs(ListenAddress.placeOf(ListenAddress.endpointOf(at)), () => settings.unixMode)
    ))

/**
 * Whether only this machine can connect, and to a socket in the file system, only its
 * own user. `modeOf` gives the permission bits of such a socket.
 */
export const isOurs = (place: ListenAddress.Place, modeOf: (path: string) => number): boolean => {
  switch (place._tag) {
    case "HostPort":
      return isLoopback(place.host)
    case "UnixPathAddress":
      return (modeOf(place.path) & 0o077) === 0
    // The address is in the unit of systemd, and known once the socket is passed.
    case "Systemd":
      return place.isOurs
  }
}
