/**
 * What every request to the admin listener has to be, before its path and token are looked at. A page in a browser
 * must not reach the listener: neither under a name of its own that leads here (DNS rebinding), nor by a request from
 * another site.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"

/** The parts of a request that the guard looks at. */
export interface Head {
  readonly method?: string | undefined
  /** The request target. */
  readonly url?: string | undefined
  /** Names and values in turn, as they came. */
  readonly rawHeaders: ReadonlyArray<string>
}

/** Why a request is refused. */
export interface Refusal {
  readonly status: 400 | 403 | 405 | 414 | 421
  readonly reason: string
}

/** The methods of the API. */
const methods: ReadonlySet<string | undefined> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])

/** The longest request target, in characters. */
const longestTarget = 4096

/** Undefined for a request that may go on. `isOwnName` tells whether a name in Host is the server's. */
export const check = (
  { method, url = "", rawHeaders }: Head,
  isOwnName: (name: string) => boolean
): Refusal | undefined => {
  if (!methods.has(method)) return { status: 405, reason: "the admin API does not have this method" }
  if (url.length > longestTarget) return { status: 414, reason: "the request target is too long" }
  // Not in the absolute form, whose authority would stand for that of Host.
  if (!/^\/(?!\/)[\x21-\x7e]*$/.test(url)) return { status: 400, reason: "the request target is not a path" }
  const hosts = valuesOf(rawHeaders, "host")
  const [host] = hosts
  if (host === undefined || hosts.length > 1) {
    return { status: 400, reason: "a request needs one Host field" }
  }
  if (!isOwnHost(host, isOwnName)) {
    return { status: 421, reason: "Host is not this server: use its address, or localhost" }
  }
  const origins = valuesOf(rawHeaders, "origin")
  if (origins.some((origin) => !isSameOrigin(origin, host))) {
    return { status: 403, reason: "requests from pages of other origins are refused" }
  }
  // Browsers send this field; no page can change it.
  if (valuesOf(rawHeaders, "sec-fetch-site").some((site) => site !== "same-origin" && site !== "none")) {
    return { status: 403, reason: "requests from pages of other sites are refused" }
  }
  if (valuesOf(rawHeaders, "authorization").length > 1) {
    return { status: 400, reason: "a request has one Authorization field at most" }
  }
  return undefined
}

/** The token of an Authorization field, if it is a bearer token (RFC 6750 §2.1). */
export const bearerOf = (authorization: string | undefined): string | undefined =>
  /^Bearer +([\w.~+/-]+=*)$/i.exec(authorization ?? "")?.[1]

/** Whether another token is the same as this one, in a time that does not depend on them. */
export const sameAs = (token: string): ((other: string) => boolean) => {
  const own = digest(token)
  return (other) => timingSafeEqual(own, digest(other))
}

const digest = (text: string) => createHash("sha256").update(text).digest()

const valuesOf = (raw: ReadonlyArray<string>, name: string): ReadonlyArray<string> =>
  raw.flatMap((field, index) =>
    index % 2 === 0 && field.toLowerCase() === name ? [raw[index + 1] ?? ""] : []
  )

/**
 * Whether Host is an address, localhost, or a name of the server. An address cannot be rebound: a browser that sends it
 * has connected to that address.
 */
const isOwnHost = (host: string, isOwnName: (name: string) => boolean): boolean => {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(host) ?? []
  if (port !== undefined && Number(port) > 65_535) return false
  if (bracketed !== undefined) return Result.isSuccess(NetAddress.ipFromString(bracketed))
  if (plain === undefined) return false
  const name = plain.toLowerCase()
  return name === "localhost" || Result.isSuccess(NetAddress.ipFromString(name)) || isOwnName(name)
}

const isSameOrigin = (origin: string, host: string): boolean =>
  /^https?:\/\//i.test(origin) && origin.replace(/^https?:\/\//i, "").toLowerCase() === host.toLowerCase()
