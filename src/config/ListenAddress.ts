/**
 * Where a server listens, as it is written in settings and logs:
 *
 *     HOST:PORT       TCP
 *     unix:/path      a socket in the file system
 *     systemd         every socket that systemd passes
 *     systemd:NAME    those of this FileDescriptorName= (systemd.socket(5))
 *     tls:…           any of these, with TLS on it
 */
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"

/** A socket of its own, or one that systemd passes. */
export type Place = Host.HostPort | NetAddress.UnixPathAddress | Systemd

/** A place, and what is spoken there before any proxy protocol. */
export type ListenAddress = Place | Tls

export interface Systemd {
  readonly _tag: "Systemd"
  /** Nothing for all of them. */
  readonly name: string | undefined
}

export interface Tls {
  readonly _tag: "Tls"
  readonly place: Place
}

export const systemd = (name?: string): Systemd => ({ _tag: "Systemd", name })

/** The same place, with TLS. */
export const tls = (place: Place): Tls => ({ _tag: "Tls", place })

/** Without the TLS. */
export const placeOf = (at: ListenAddress): Place => (at._tag === "Tls" ? at.place : at)

/** One of the forms above; nothing for any other text. */
export const fromString = (text: string): Option.Option<ListenAddress> =>
  text.startsWith("tls:") ? Option.map(place(text.slice(4)), tls) : place(text)

/** As it is read. */
export const format = (at: ListenAddress | NetAddress.SocketAddress): string => {
  switch (at._tag) {
    case "HostPort":
      return Host.formatHostPort(at)
    case "UnixPathAddress":
      return `unix:${at.path}`
    case "Systemd":
      return at.name === undefined ? "systemd" : `systemd:${at.name}`
    case "Tls":
      return `tls:${format(at.place)}`
    default:
      return NetAddress.formatInet(at)
  }
}

const place = (text: string): Option.Option<Place> => {
  if (text === "systemd") return Option.some(systemd())
  const [, scheme, rest = ""] = /^(unix|systemd):(.*)$/s.exec(text) ?? []
  if (scheme === "unix")
    return isUnixPath(rest) ? Option.some(NetAddress.unixPathAddress(rest)) : Option.none()
  if (scheme === "systemd") return isName(rest) ? Option.some(systemd(rest)) : Option.none()
  return Result.getSuccess(Host.hostPortFromString(text))
}

/** Absolute, without a NUL, and short enough for `sockaddr_un` (unix(7)). */
const isUnixPath = (path: string): boolean =>
  /^\/[^\0]*[^\0/]$/.test(path) && new TextEncoder().encode(path).length <= 107

/** What FileDescriptorName= allows: printable ASCII without a colon, at most 255 of it. */
const isName = (text: string): boolean => /^[\x20-\x39\x3b-\x7e]{1,255}$/.test(text)
