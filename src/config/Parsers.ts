/**
 * Parsers of the values in flags, variables and files. Each returns `None` for a text
 * that is not in the form.
 */
import * as Duration from "effect/Duration"
import * as Host from "effect/net/Host"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"

/** Ports, from the first to the last. */
export type PortRange = readonly [first: number, last: number]

const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `500ms`, `10s`, `15m`, `1h`, `1d`; above zero. */
export const duration = (text: string): Option.Option<Duration.Duration> => {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text) ?? []
  const millis = Number(amount) * milliseconds[unit as keyof typeof milliseconds]
  return millis > 0 ? Option.some(Duration.millis(millis)) : Option.none()
}

/** A duration as `duration` reads it, in the largest unit that divides it. */
export const formatDuration = (value: Duration.Duration): string => {
  const millis = Duration.toMillis(value)
  const [unit, size] = Object.entries(milliseconds).findLast(([, size]) => millis % size === 0) ?? ["ms", 1]
  return `${millis / size}${unit}`
}

const multiples = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40
}

/** `512KiB`, `10MiB`, `1.5GiB`, `10MB`, or a number of bytes; at least one. */
export const bytes = (text: string): Option.Option<number> => {
  const [, amount, unit] = /^(\d{1,15}(?:\.\d{1,3})?)([kKMGT]?B|[KMGT]iB|)$/.exec(text) ?? []
  const size = Math.floor(Number(amount) * multiples[(unit || "B") as keyof typeof multiples])
  return size > 0 && Number.isSafeInteger(size) ? Option.some(size) : Option.none()
}

/** `10MiB` or `10MiB/s`: bytes a second. */
export const rate = (text: string): Option.Option<number> => bytes(text.replace(/\/s$/, ""))

/** Bytes a second, each way; `Infinity` where there is no limit. */
export interface Rates {
  readonly upload: number
  readonly download: number
}

/** `1MiB/10MiB` for upload and download, or `10MiB` for each of the two. Either can be `off`. */
export const rates = (text: string): Option.Option<Rates> => {
  const [up = "", down = up, ...rest] = text.split("/")
  const read = (way: string) => (way === "off" ? Option.some(Infinity) : bytes(way))
  return rest.length > 0
    ? Option.none()
    : Option.zipWith(read(up), read(down), (upload, download) => ({ upload, download }))
}

/** A whole number above 0. */
export const count = (text: string): Option.Option<number> =>
  /^[1-9]\d{0,8}$/.test(text) ? Option.some(Number(text)) : Option.none()

/**
 * A time in milliseconds since the epoch: `2027-03-31` is the end of that day in UTC; `2027-03-31T18:00:00Z`, also with
 * another offset, is that moment.
 */
export const expiry = (text: string): Option.Option<number> => {
  const [, day, time] =
    /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.exec(text) ?? []
  const midnight = Date.parse(`${day}T00:00:00Z`)
  const millis = time === undefined ? midnight + milliseconds.d : Date.parse(text)
  // `Date.parse` accepts the 30th of February.
  const isDay = !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(String(day))
  return isDay && !Number.isNaN(millis) ? Option.some(millis) : Option.none()
}

/** Random early drop: from `start` connections on, `rate` percent are refused, rising to all at `full`. */
export interface EarlyDrop {
  readonly start: number
  readonly rate: number
  readonly full: number
}

/** `10:30:100`, START:RATE:FULL as in OpenSSH's MaxStartups, the rate in percent. */
export const earlyDrop = (text: string): Option.Option<EarlyDrop> => {
  const [, start = 0, rate = 0, full = 0] = /^(\d{1,9}):(\d{1,3}):(\d{1,9})$/.exec(text)?.map(Number) ?? []
  return start >= 1 && start <= full && rate >= 1 && rate <= 100
    ? Option.some({ start, rate, full })
    : Option.none()
}

/** `40000-40999`; neither port 0. */
export const portRange = (text: string): Option.Option<PortRange> => {
  const [, first = 0, last = 0] = /^([1-9]\d{0,4})-([1-9]\d{0,4})$/.exec(text)?.map(Number) ?? []
  return first > 0 && first <= last && last <= 65_535 ? Option.some([first, last]) : Option.none()
}

export const protocols = ["socks5", "socks4", "http"] as const

export type ProtocolName = (typeof protocols)[number]

export const protocol = (text: string): Option.Option<ProtocolName> => literal(text, protocols)

/** `true` or `1`, `false` or `0`. */
export const toggle = (text: string): Option.Option<boolean> => {
  if (text === "true" || text === "1") return Option.some(true)
  if (text === "false" || text === "0") return Option.some(false)
  return Option.none()
}

/** One of these words. */
export const literal = <A extends string>(text: string, allowed: ReadonlyArray<A>): Option.Option<A> =>
  Option.fromUndefinedOr(allowed.find((value) => value === text))

/**
 * `https://auth.example/check`; or `http:`, to this machine, or to another with `insecure:` in front. Gives the URL
 * without `insecure:`.
 */
export const serviceUrl = (text: string): Option.Option<string> => {
  const [, insecure, url = ""] = /^(insecure:)?(https?:.*)$/s.exec(text) ?? []
  if (!URL.canParse(url)) return Option.none()
  const { protocol, hostname, username, password } = new URL(url)
  const isSecure = protocol === "https:" || isLoopback(hostname) || insecure !== undefined
  return isSecure && username === "" && password === "" ? Option.some(url) : Option.none()
}

/** A URL without its query, which may have a key in it. */
export const shownUrl = (url: string): string => {
  const { origin, pathname } = new URL(url)
  return origin + pathname
}

/** Whether the host of a parsed URL is this machine. URLs have IPv6 addresses in brackets. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "[::1]" || /^127(\.\d+){3}$/.test(host)

/** A path. The file is not opened. */
export const path = (text: string): Option.Option<string> =>
  text === "" || text.includes("\0") ? Option.none() : Option.some(text)

/** `0660` or `660`: permission bits in octal. */
export const mode = (text: string): Option.Option<number> =>
  /^0?[0-7]{3}$/.test(text) ? Option.some(Number.parseInt(text, 8)) : Option.none()

/** `10.0.0.0/8`, `2001:db8::/32`, or an address for a network of one. */
export const network = (text: string): Option.Option<IpNetwork.IpNetwork> =>
  Result.getSuccess(
    text.includes("/")
      ? IpNetwork.fromString(text)
      : Result.flatMap(NetAddress.ipFromString(text), (address) =>
          IpNetwork.make(address, NetAddress.width(address))
        )
  )

/** An address of a name, as a line of a hosts file has it. */
export interface HostEntry {
  readonly name: Host.DomainName
  readonly address: NetAddress.IpAddress
}

/** `db.example=10.0.0.5`: a name, which is no address, and an address. */
export const hostEntry = (text: string): Option.Option<HostEntry> => {
  const [, name = "", address = ""] = /^([^=]+)=([^=]+)$/.exec(text) ?? []
  const host = Host.hostFromString(name.toLowerCase())
  const found = NetAddress.ipFromString(address)
  return Result.isSuccess(host) && Host.isDomainName(host.success) && Result.isSuccess(found)
    ? Option.some({ name: Host.toRelative(host.success), address: found.success })
    : Option.none()
}

/** `64:ff9b::/96`: the prefix of a translator of addresses (RFC 6052 §2.2). Bits 64 to 71 are zero. */
export const translationPrefix = (text: string): Option.Option<IpNetwork.IpNetwork> =>
  Option.filter(
    network(text),
    ({ address, prefixLength }) =>
      NetAddress.isIpv6Address(address) &&
      [32, 40, 48, 56, 64, 96].includes(prefixLength) &&
      NetAddress.ipv6ToOctets(address)[8] === 0
  )
