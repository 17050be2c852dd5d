/**
 * The URL of the fleet's store: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, `rediss://` with TLS, or
 * `redis+unix://USER:PASSWORD@localhost/PATH?db=DATABASE` for a Unix-domain socket.
 */
import * as Option from "effect/Option"

export interface FleetUrl {
  /** The address, without user and password. */
  readonly shown: string
  readonly place: { readonly host: string; readonly port: number } | { readonly path: string }
  /** Whether to use TLS, by which the name of the host is checked. */
  readonly isEncrypted: boolean
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
  const database = isSocket ? (url.searchParams.get("db") ?? "0") : url.pathname.slice(1) || "0"
  const others = [...url.searchParams.keys()].filter((name) => !isSocket || name !== "db")
  if (!/^\d{1,4}$/.test(database) || others.length > 0 || url.hash !== "") return Option.none()
  if (isSocket ? !/^(localhost)?$/.test(url.host) || url.pathname.length < 2 : url.hostname === "")
    return Option.none()
  try {
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
    const port = url.port === "" ? 6379 : Number(url.port)
    const path = decodeURIComponent(url.pathname)
    return Option.some({
      shown: isSocket ? `redis+unix://${path}` : `${scheme}://${url.hostname}:${port}/${database}`,
      place: isSocket ? { path } : { host, port },
      isEncrypted: scheme === "rediss",
      username: url.username === "" ? undefined : decodeURIComponent(url.username),
      password: url.password === "" ? undefined : decodeURIComponent(url.password),
      database: Number(database)
    })
  } catch {
    // A percent sign with no number.
    return Option.none()
  }
}
