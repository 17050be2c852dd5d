/**
 * The forms in which values are written in flags, variables and files.
 */
import * as Duration from "effect/Duration"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

/** A user who may come in. */
export interface User {
  readonly name: string
  readonly password: Redacted.Redacted
}

/** Ports, from the first to the last. */
export type PortRange = readonly [first: number, last: number]

const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `500ms`, `10s`, `15m`, `1h`, `1d`; above zero. */
export const duration = (text: string): Option.Option<Duration.Duration> => {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text) ?? []
  const millis = Number(amount) * milliseconds[unit as keyof typeof milliseconds]
  return millis > 0 ? Option.some(Duration.millis(millis)) : Option.none()
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

/** A whole number above 0. */
export const count = (text: string): Option.Option<number> =>
  /^[1-9]\d{0,8}$/.test(text) ? Option.some(Number(text)) : Option.none()

/** `NAME:PASSWORD`; the password may have colons too. */
export const user = (text: string): Option.Option<User> => {
  const colon = text.indexOf(":")
  const name = text.slice(0, colon)
  const password = text.slice(colon + 1)
  return colon !== -1 && isField(name) && isField(password)
    ? Option.some({ name, password: Redacted.make(password) })
    : Option.none()
}

// RFC 1929 §2: a length of 1 to 255, in one byte.
const isField = (text: string): boolean => {
  const { length } = new TextEncoder().encode(text)
  return length >= 1 && length <= 255
}

/** `40000-40999`; neither port 0. */
export const portRange = (text: string): Option.Option<PortRange> => {
  const [, first = 0, last = 0] = /^([1-9]\d{0,4})-([1-9]\d{0,4})$/.exec(text)?.map(Number) ?? []
  return first > 0 && first <= last && last <= 65_535 ? Option.some([first, last]) : Option.none()
}

export const protocols = ["socks5", "socks4", "http"] as const

export type Protocol = (typeof protocols)[number]

export const protocol = (text: string): Option.Option<Protocol> => literal(text, protocols)

/** `true` or `1`, `false` or `0`. */
export const toggle = (text: string): Option.Option<boolean> => {
  if (text === "true" || text === "1") return Option.some(true)
  if (text === "false" || text === "0") return Option.some(false)
  return Option.none()
}

/** One of these words. */
export const literal = <A extends string>(text: string, allowed: ReadonlyArray<A>): Option.Option<A> =>
  Option.fromUndefinedOr(allowed.find((value) => value === text))

/** A path; not opened here. */
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
