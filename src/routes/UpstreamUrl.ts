/**
 * An upstream: another proxy through which a route goes, as it is written in settings:
 *
 *     socks5://user:password@host:1080      SOCKS5; socks5h:// has the upstream resolve names
 *     socks4://user@host:1080               SOCKS4; socks4a:// has the upstream resolve names
 *     http://user:password@host:3128        CONNECT of HTTP
 *     https://user:password@host:443        the same over TLS
 *     socks5+tls://…, socks4+tls://…        SOCKS over TLS
 *     …@unix:/path/of/socket                any of these on a Unix-domain socket
 *     …?names=upstream&pipelined=true&udp=true&ca=FILE&cert=FILE&key=FILE
 *
 * User and password are percent-encoded (RFC 3986 §2.1).
 */
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as ListenAddress from "../config/ListenAddress.ts"
import * as Parsers from "../config/Parsers.ts"
import type { Credentials } from "../wire/Socks5.ts"
import * as Target from "../wire/Target.ts"

/** The protocol that an upstream speaks. */
export type KindName = "socks5" | "socks4" | "http"

export interface Upstream {
  readonly kind: KindName
  /** Whether TLS is below the protocol. */
  readonly isTls: boolean
  readonly place: Target.Target | NetAddress.UnixPathAddress
  readonly credentials: Redacted.Redacted<Credentials> | undefined
  /** Whether the upstream gets the name of a target. Otherwise it gets an address that was judged here. */
  readonly sendsNames: boolean
  /** Whether messages may be sent before the upstream has answered the messages before. */
  readonly isPipelined: boolean
  /** Whether datagrams may go to the relay of the upstream: by default where there is no TLS, as they are not encrypted. */
  readonly carriesDatagrams: boolean
  /** Paths of PEM files: the authority of the upstream's certificate, and the certificate and key of this client. */
  readonly files: { readonly ca?: string; readonly cert?: string; readonly key?: string }
}

/** Completes the sentence "… is not …". */
export const expected =
  "a URL such as socks5://USER:PASSWORD@HOST:1080, socks4://, http:// or https://, with user and password " +
  "percent-encoded, unix:/PATH in place of HOST:PORT, and options behind it, as in ?names=upstream"

const schemes: Readonly<Record<string, Pick<Upstream, "kind" | "isTls" | "sendsNames"> & { port: number }>> =
  {
    socks5: { kind: "socks5", isTls: false, sendsNames: false, port: 1080 },
    socks5h: { kind: "socks5", isTls: false, sendsNames: true, port: 1080 },
    "socks5+tls": { kind: "socks5", isTls: true, sendsNames: false, port: 1080 },
    socks4: { kind: "socks4", isTls: false, sendsNames: false, port: 1080 },
    socks4a: { kind: "socks4", isTls: false, sendsNames: true, port: 1080 },
    "socks4+tls": { kind: "socks4", isTls: true, sendsNames: false, port: 1080 },
    http: { kind: "http", isTls: false, sendsNames: false, port: 80 },
    https: { kind: "http", isTls: true, sendsNames: false, port: 443 }
  }

/** Parses one of the forms above. */
export const fromString = (text: string): Option.Option<Upstream> => {
  const [, scheme = "", userInfo, at = "", query] =
    /^([a-z0-9+]+):\/\/(?:([^@/?#\s]*)@)?([^?#\s]+)(?:\?([^#\s]*))?$/i.exec(text) ?? []
  const known = schemes[scheme.toLowerCase()]
  if (known === undefined) return Option.none()
  const { port, ...kind } = known
  return Option.gen(function* () {
    const place = yield* placeOf(at, port)
    const credentials = userInfo === undefined ? undefined : yield* credentialsOf(kind.kind, userInfo)
    const options = yield* optionsOf(query ?? "", kind.isTls)
    return { ...kind, place, credentials, isPipelined: false, carriesDatagrams: !kind.isTls, ...options }
  })
}

const placeOf = (at: string, port: number): Option.Option<Upstream["place"]> => {
  const isUnix = at.startsWith("unix:")
  const text = isUnix ? at : at.replace(/\/$/, "")
  const hasPort = isUnix || /:\d+$/.test(text.replace(/^\[[^\]]*\]/, ""))
  return Option.flatMap(ListenAddress.fromString(hasPort ? text : `${text}:${port}`), (place) => {
    if (place._tag === "UnixPathAddress") return Option.some(place)
    if (place._tag !== "HostPort" || place.port === 0) return Option.none()
    const { host } = place
    if (NetAddress.isIpAddress(host)) {
      const address = NetAddress.toCanonical(host)
      return NetAddress.isUnspecified(address)
        ? Option.none()
        : Option.some({ host: address, port: place.port })
    }
    return NetAddress.isScopedIpv6Literal(host)
      ? Option.none()
      : Option.some({ host: Host.toRelative(host), port: place.port })
  })
}

const credentialsOf = (kind: KindName, userInfo: string): Option.Option<Upstream["credentials"]> => {
  const colon = userInfo.indexOf(":")
  const name = decoded(colon === -1 ? userInfo : userInfo.slice(0, colon))
  const secret = decoded(colon === -1 ? "" : userInfo.slice(colon + 1))
  if (name === undefined || secret === undefined) return Option.none()
  const credentials = { username: utf8.encode(name), password: utf8.encode(secret) }
  return fits[kind](credentials) ? Option.some(Redacted.make(credentials)) : Option.none()
}

/** Whether the protocol can carry the credentials. */
const fits: Readonly<Record<KindName, (credentials: Credentials) => boolean>> = {
  // RFC 1929 §2.
  socks5: ({ username, password }) => isField(username) && isField(password),
  socks4: ({ username, password }) => isField(username) && !username.includes(0) && password.length === 0,
  // RFC 7617 §2: the first colon ends the user, and control characters are not allowed.
  http: ({ username, password }) =>
    !username.includes(0x3a) &&
    username.length <= 255 &&
    password.length <= 255 &&
    [...username, ...password].every((byte) => byte >= 0x20 && byte !== 0x7f)
}

const isField = ({ length }: Uint8Array): boolean => length >= 1 && length <= 255

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

type Options = Partial<Pick<Upstream, "sendsNames" | "isPipelined" | "carriesDatagrams">> &
  Pick<Upstream, "files">

const optionsOf = (query: string, isTls: boolean): Option.Option<Options> => {
  const files: Record<string, string> = {}
  const options: { sendsNames?: boolean; isPipelined?: boolean; carriesDatagrams?: boolean } = {}
  for (const pair of query === "" ? [] : query.split("&")) {
    const [, name = "", value = ""] = /^([a-z]+)=(.+)$/.exec(pair) ?? []
    const text = decoded(value)
    if (text === undefined) return Option.none()
    if (name === "names" && (text === "upstream" || text === "here")) options.sendsNames = text === "upstream"
    else if (name === "pipelined" && Option.isSome(Parsers.toggle(text)))
      options.isPipelined = text === "true"
    else if (name === "udp" && Option.isSome(Parsers.toggle(text))) options.carriesDatagrams = text === "true"
    else if (isTls && /^(?:ca|cert|key)$/.test(name) && Option.isSome(Parsers.path(text))) files[name] = text
    else return Option.none()
  }
  const hasBoth = (files.cert === undefined) === (files.key === undefined)
  return hasBoth ? Option.some({ ...options, files }) : Option.none()
}

/** The URL without the password and the options, for logs and messages. */
export const shown = ({ kind, isTls, place, credentials }: Upstream): string => {
  const scheme = kind === "http" ? (isTls ? "https" : "http") : `${kind}${isTls ? "+tls" : ""}`
  const user = credentials && `${encodeURIComponent(utf8Text(Redacted.value(credentials).username))}@`
  return `${scheme}://${user ?? ""}${"path" in place ? `unix:${place.path}` : Target.format(place)}`
}

const utf8 = new TextEncoder()

const utf8Text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** The text of a host, IPv6 without brackets. */
export const hostText = (host: Target.Target["host"]): string => Host.formatHost(host)
