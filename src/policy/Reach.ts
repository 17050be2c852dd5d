/**
 * Who can connect to a listener, as far as its address tells; and what follows
 * from that for where clients may go.
 */
import type * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { ListenSettings } from "../network/ListenSettings.ts"
import type { PolicySettings } from "./Settings.ts"

/** The settings that tell it. */
export type Settings = Pick<PolicySettings["Service"], "privateTargets"> &
  Pick<ListenSettings["Service"], "listen" | "unixMode" | "proxyProtocolFrom">

/** Only this machine reaches it. A name could mean anything, except this one. */
export const isLoopback = (host: Host.Host): boolean =>
  NetAddress.isIpAddress(host) ? NetAddress.isLoopback(NetAddress.toCanonical(host)) : host === "localhost"

/**
 * Whether clients may go to private addresses, and to others that are special.
 * Where nobody else can connect, clients reach nothing through the server that
 * they would not reach without it.
 */
export const allowsPrivateTargets = (settings: Settings): boolean =>
  settings.privateTargets === "allow" ||
  (settings.privateTargets === "auto" &&
    // Who connects to a proxy in front of this server could be anyone.
    settings.proxyProtocolFrom.length === 0 &&
    settings.listen.every((at) =>
      isOurs(ListenAddress.placeOf(ListenAddress.endpointOf(at)), () => settings.unixMode)
    ))

/**
 * Whether nobody can connect but this machine, and to a socket in the file system,
 * its own user. `modeOf` gives the permission bits of such a socket.
 */
export const isOurs = (place: ListenAddress.Place, modeOf: (path: string) => number): boolean => {
  switch (place._tag) {
    case "HostPort":
      return isLoopback(place.host)
    case "UnixPathAddress":
      return (modeOf(place.path) & 0o077) === 0
    // Where it listens is the unit's business, and known once it is passed.
    case "Systemd":
      return place.isOurs
  }
}
