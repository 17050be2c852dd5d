/**
 * The URL of the fleet's store: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, `rediss://` with TLS, or
 * `redis+unix://USER:PASSWORD@localhost/PATH?db=DATABASE` for a Unix-domain socket.
 */
import * as Option from "effect/Option"
import * as Parsers from "../config/Parsers.ts"
import type { Files } from "../network/TlsClient.ts"

export interface FleetUrl {
  /** The address, without user and password. */
  readonly shown: string
  readonly place: { readonly host: string; readonly port: number } | { readonly path: string }
  /** Whether to use TLS, by which the name of the host is checked. */
  readonly isEncrypted: boolean
  /** Files of TLS: `?ca=FILE`, and `&cert=FILE&key=FILE` for a certificate of this machine. */
  readonly files: Files
  /** Whether somebody on the way could read what is sent. */
  readonly isExposed: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
}

/** `None` for what is no such URL. */
export const parse = (text: string): Option.Option<FleetUrl> => {
  const scheme = /^(rediss?|redis\+unix):\/\//.exec(text)?.[1]
  if (scheme === undefined || !URL.canParse(text)) return Option.none()
  const url = new URL(text)
  const isSocket = scheme === "redis+unix"
  const isEncrypted = scheme === "rediss"
  const allowed = isSocket ? ["db"] : isEncrypted ? ["ca", "cert", "key"] : []
  const { db, ca, cert, key } = Object.fromEntries(url.searchParams)
  if ([...url.searchParams].some(([name, value]) => !allowed.includes(name) || value === ""))
    return Option.none()
  if ((cert === undefined) !== (key === undefined)) return Option.none()
  const database = isSocket ? (db ?? "0") : url.pathname.slice(1) || "0"
  if (!/^\d{1,4}$/.test(database) || url.hash !== "") return Option.none()
  if (isSocket ? !/^(localhost)?$/.test(url.host) || url.pathname.length < 2 : url.hostname === "")
    return Option.none()
  try {
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
    const port = url.port === "" ? 6379 : Number(url.port)
    const path = decodeURIComponent(url.pathname)
    return Option.some({
      shown: isSocket ? `redis+unix://${path}` : `${scheme}://${url.hostname}:${port}/${database}`,
      place: isSocket ? { path } : { host, port },
      isEncrypted,
      files: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
      isExposed: scheme === "redis" && !Parsers.isLoopback(url.hostname),
      username: url.username === "" ? undefined : decodeURIComponent(url.username),
      password: url.password === "" ? undefined : decodeURIComponent(url.password),
      database: Number(database)
    })
  } catch {
    // A percent sign with no number.
    return Option.none()
  }
}
