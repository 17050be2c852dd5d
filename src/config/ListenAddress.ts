/**
 * The address of a listener, as it is written in settings and logs:
 *
 *     HOST:PORT       TCP
 *     unix:/path      a socket in the file system
 *     systemd         every socket that systemd passes
 *     systemd:NAME    the sockets with this FileDescriptorName= (systemd.socket(5))
 *     tls:…           any of these, with TLS on it
 *     …?protocols=socks5+http&udp=false
 *                     any of these, with options for this listener only
 *     HOST:PORT?wait=30s
 *                     an address that this machine may get only some time after the start
 *
 * In a config file, `{ address: …, protocols: [socks5, http], udp: false }` is the
 * same as the last. *
 * **When to use**
 *
 * Use `ListenAddress.format` to write a listener of `Server` as settings and logs do.
 *
 * **Example** (Where a server listens)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { ListenAddress, Server } from "effect-socks"
 *
 * const listeners = Effect.map(Server, ({ listeners }) => listeners.map(ListenAddress.format))
 * ```
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Parsers from "./Parsers.ts"
import * as Schemas from "./Schemas.ts"

/** An address on which the server opens a socket, or the sockets that systemd passes. */
export type Place = Host.HostPort | NetAddress.UnixPathAddress | Systemd

/** A place, with or without TLS. */
export type Endpoint = Place | Tls

export type ListenAddress = Endpoint | WithOptions

export interface Systemd {
  readonly _tag: "Systemd"
  /** Undefined for all sockets that systemd passes. */
  readonly name: string | undefined
  /** Whether only this machine can connect to these sockets; false if that is not known. */
  readonly isOurs: boolean
}

export interface Tls {
  readonly _tag: "Tls"
  readonly place: Place
}

export const systemd = (name?: string, isOurs = false): Systemd => ({ _tag: "Systemd", name, isOurs })

/** An endpoint with options of its own, which take precedence over the settings of the server. */
export interface WithOptions {
  readonly _tag: "WithOptions"
  readonly endpoint: Endpoint
  readonly options: ListenerOptions
}

export interface ListenerOptions {
  readonly protocols?: ReadonlyArray<Parsers.ProtocolName>
  readonly udp?: boolean
  /** How long a start waits until this machine has the address. */
  readonly wait?: Duration.Duration
}

export const withOptions = (endpoint: Endpoint, options: ListenerOptions): WithOptions => ({
  _tag: "WithOptions",
  endpoint,
  options
})

/** The endpoint without its options. */
export const endpointOf = (at: ListenAddress): Endpoint => (at._tag === "WithOptions" ? at.endpoint : at)

/**
 * The options of a listener. A TLS listener relays no UDP unless its options say so:
 * datagrams go in the clear, and another host with the client's address can send them.
 */
export const optionsOf = (at: ListenAddress): ListenerOptions => {
  const own = ownOptionsOf(at)
  return endpointOf(at)._tag === "Tls" ? { udp: false, ...own } : own
}

/** The options that stand behind the address. */
export const ownOptionsOf = (at: ListenAddress): ListenerOptions =>
  at._tag === "WithOptions" ? at.options : {}

/** An endpoint with TLS at a place. */
export const tls = (place: Place): Tls => ({ _tag: "Tls", place })

/** The place of an endpoint, without the TLS. */
export const placeOf = (at: Endpoint): Place => (at._tag === "Tls" ? at.place : at)

/** The listen address with another place. */
export const mapPlace = (at: ListenAddress, change: (place: Place) => Place): ListenAddress => {
  const changed = change(placeOf(endpointOf(at)))
  const endpoint = endpointOf(at)._tag === "Tls" ? tls(changed) : changed
  return at._tag === "WithOptions" ? withOptions(endpoint, at.options) : endpoint
}

/** Parses one of the forms above. */
export const fromString = (text: string): Option.Option<ListenAddress> => {
  const [, address, query] = /^(.*)\?(\w+=.*)$/s.exec(text) ?? []
  return address === undefined || query === undefined
    ? endpoint(text)
    : Option.filter(Option.zipWith(endpoint(address), optionsFrom(query), withOptions), canWait)
}

/** Whether the option `wait` is allowed: only with HOST:PORT. */
const canWait = ({ endpoint, options }: WithOptions): boolean =>
  options.wait === undefined || placeOf(endpoint)._tag === "HostPort"

const endpoint = (text: string): Option.Option<Endpoint> =>
  text.startsWith("tls:") ? Option.map(place(text.slice(4)), tls) : place(text)

const optionsFrom = (query: string): Option.Option<ListenerOptions> =>
  Option.map(
    Option.all(
      query.split("&").map((pair): Option.Option<ListenerOptions> => {
        const [, name, value = ""] = /^(\w+)=(.*)$/.exec(pair) ?? []
        if (name === "udp") return Option.map(Parsers.toggle(value), (udp) => ({ udp }))
        if (name === "wait") return Option.map(Parsers.duration(value), (wait) => ({ wait }))
        if (name !== "protocols") return Option.none()
        return Option.map(Option.all(value.split("+").map(Parsers.protocol)), (protocols) => ({ protocols }))
      })
    ),
    (all) => Object.assign({}, ...all)
  )

/** Completes the sentence "… is not …". */
export const expected =
  "HOST:PORT, such as 127.0.0.1:1080 or [::1]:1080, nor unix:/path, systemd or tls:HOST:PORT"

const json = { type: "string", pattern: "^systemd$|:" }

/** The schema of a listener in a config file. */
export const form: Schemas.Form<ListenAddress> = Schema.Union([
  Schemas.text({ read: fromString, expected, json }),
  Schemas.thenRead(
    Schema.Struct({
      address: Schemas.text({ read: endpoint, expected, json }),
      protocols: Schema.optionalKey(
        Schemas.list(Schemas.word(Parsers.protocols, "one of socks5, socks4 and http"), { canBeEmpty: false })
      ),
      udp: Schema.optionalKey(Schemas.toggle),
      wait: Schema.optionalKey(
        Schemas.text({
          read: Parsers.duration,
          expected: "a duration such as 30s or 5m",
          json: { type: "string" }
        })
      )
    }),
    ({ address, ...options }) => {
      if (Object.keys(options).length === 0) return Effect.succeed<ListenAddress>(address)
      const at = withOptions(address, options)
      return canWait(at)
        ? Effect.succeed(at)
        : Effect.fail(
            new SchemaIssue.InvalidValue({ expected: "a map with wait only where its address is HOST:PORT" })
          )
    }
  )
])

/** The text that `fromString` reads. */
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
    case "WithOptions": {
      const { protocols, udp, wait } = at.options
      const options = [
        ...(protocols ? [`protocols=${protocols.join("+")}`] : []),
        ...(udp === undefined ? [] : [`udp=${udp}`]),
        ...(wait === undefined ? [] : [`wait=${Parsers.formatDuration(wait)}`])
      ]
      return `${format(at.endpoint)}?${options.join("&")}`
    }
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

/** Whether FileDescriptorName= allows the name: printable ASCII without a colon, at most 255 characters. */
const isName = (text: string): boolean => /^[\x20-\x39\x3b-\x7e]{1,255}$/.test(text)
