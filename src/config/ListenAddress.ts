/**
 * Where a server listens, as it is written in settings and logs:
 *
 *     HOST:PORT       TCP
 *     unix:/path      a socket in the file system
 *     systemd         every socket that systemd passes
 *     systemd:NAME    those of this FileDescriptorName= (systemd.socket(5))
 *     tls:…           any of these, with TLS on it
 *     …?protocols=socks5+http&udp=false
 *                     any of these, with settings of its own
 *     HOST:PORT?wait=30s
 *                     an address that may only be there some time after the start
 *
 * In a config file, `{ address: …, protocols: [socks5, http], udp: false }` is the
 * same as the last.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Parsers from "./Parsers.ts"
import * as Schemas from "./Schemas.ts"

/** A socket of its own, or one that systemd passes. */
export type Place = Host.HostPort | NetAddress.UnixPathAddress | Systemd

/** A place, and what is spoken there before any proxy protocol. */
export type Endpoint = Place | Tls

export type ListenAddress = Endpoint | WithOptions

export interface Systemd {
  readonly _tag: "Systemd"
  /** Nothing for all of them. */
  readonly name: string | undefined
  /** Whether it is known of all these sockets that only this machine can connect to them. */
  readonly isOurs: boolean
}

export interface Tls {
  readonly _tag: "Tls"
  readonly place: Place
}

export const systemd = (name?: string, isOurs = false): Systemd => ({ _tag: "Systemd", name, isOurs })

/** A door with settings of its own, which go before those of the server. */
export interface WithOptions {
  readonly _tag: "Particular"
  readonly door: Endpoint
  readonly settings: ListenerOptions
}

export interface ListenerOptions {
  readonly protocols?: ReadonlyArray<Parsers.ProtocolName>
  readonly udp?: boolean
  /** How long a start waits until this machine has the address. */
  readonly wait?: Duration.Duration
}

export const withOptions = (door: Endpoint, settings: ListenerOptions): WithOptions => ({
  _tag: "Particular",
  door,
  settings
})

/** Without its settings. */
export const endpointOf = (at: ListenAddress): Endpoint => (at._tag === "Particular" ? at.door : at)

/**
 * Its settings, if it has any. With TLS there is no UDP unless it says so: the
 * datagrams would go in the clear, and be anyone's who has the client's address.
 */
export const optionsOf = (at: ListenAddress): ListenerOptions => {
  const own = at._tag === "Particular" ? at.settings : {}
  return endpointOf(at)._tag === "Tls" ? { udp: false, ...own } : own
}

/** The same place, with TLS. */
export const tls = (place: Place): Tls => ({ _tag: "Tls", place })

/** Without the TLS. */
export const placeOf = (at: Endpoint): Place => (at._tag === "Tls" ? at.place : at)

/** The same at another place. */
export const mapPlace = (at: ListenAddress, change: (place: Place) => Place): ListenAddress => {
  const changed = change(placeOf(endpointOf(at)))
  const door = endpointOf(at)._tag === "Tls" ? tls(changed) : changed
  return at._tag === "Particular" ? withOptions(door, at.settings) : door
}

/** One of the forms above; nothing for any other text. */
export const fromString = (text: string): Option.Option<ListenAddress> => {
  const [, address, query] = /^(.*)\?(\w+=.*)$/s.exec(text) ?? []
  return address === undefined || query === undefined
    ? door(text)
    : Option.filter(Option.zipWith(door(address), ownSettings(query), withOptions), canWait)
}

/** A file, or what systemd passes, is there or not. */
const canWait = ({ door, settings }: WithOptions): boolean =>
  settings.wait === undefined || placeOf(door)._tag === "HostPort"

const door = (text: string): Option.Option<Endpoint> =>
  text.startsWith("tls:") ? Option.map(place(text.slice(4)), tls) : place(text)

const ownSettings = (query: string): Option.Option<ListenerOptions> =>
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

/** As it is written in a config file. */
export const form: Schemas.Form<ListenAddress> = Schema.Union([
  Schemas.text({ read: fromString, expected, json }),
  Schemas.further(
    Schema.Struct({
      address: Schemas.text({ read: door, expected, json }),
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
    ({ address, ...own }) =>
      Effect.succeed(Object.keys(own).length === 0 ? address : withOptions(address, own))
  )
])

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
    case "Particular": {
      const { protocols, udp, wait } = at.settings
      const own = [
        ...(protocols ? [`protocols=${protocols.join("+")}`] : []),
        ...(udp === undefined ? [] : [`udp=${udp}`]),
        ...(wait === undefined ? [] : [`wait=${Duration.toMillis(wait)}ms`])
      ]
      return `${format(at.door)}?${own.join("&")}`
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

/** What FileDescriptorName= allows: printable ASCII without a colon, at most 255 of it. */
const isName = (text: string): boolean => /^[\x20-\x39\x3b-\x7e]{1,255}$/.test(text)
