/**
 * The URL of a PostgreSQL database, as `psql` takes it: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, or
 * `postgresql:///DATABASE?host=/run/postgresql` for a Unix-domain socket.
 */
import * as Option from "effect/Option"
import * as Parsers from "../config/Parsers.ts"

export interface PostgresUrl {
  /** The URL without what is told in the other fields. */
  readonly url: string
  /** Host, port and database, without user and password. */
  readonly shown: string
  /** Whether TLS is asked for. Without `sslmode`, it is beyond this machine. */
  readonly isEncrypted: boolean
  /** Files of TLS, in PEM: the authority of the server's certificate, and the client's certificate and key. */
  readonly files: { readonly ca?: string; readonly cert?: string; readonly key?: string }
}

/** `None` for what is no such URL, and for an `sslmode` by which somebody on the way could take TLS away. */
export const parse = (text: string): Option.Option<PostgresUrl> => {
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) return Option.none()
  const url = new URL(text)
  const take = (name: string): string | undefined => {
    const value = url.searchParams.get(name) ?? undefined
    url.searchParams.delete(name)
    return value
  }
  const mode = take("sslmode")
  if (mode !== undefined && !modes.has(mode)) return Option.none()
  const [ca, cert, key] = [take("sslrootcert"), take("sslcert"), take("sslkey")]
  const host = url.searchParams.get("host") ?? url.hostname
  const port = url.searchParams.get("port") ?? url.port
  const database = url.searchParams.get("dbname") ?? url.pathname.slice(1)
  return Option.some({
    url: url.href,
    shown: `postgresql://${host || "localhost"}${port === "" ? "" : `:${port}`}/${database}`,
    isEncrypted: mode === undefined ? !isThisMachine(host) : mode !== "disable",
    files: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
  })
}

/** Each of them but `disable` checks the certificate, and the name in it. */
const modes: ReadonlySet<string> = new Set(["disable", "require", "verify-ca", "verify-full"])

const isThisMachine = (host: string): boolean =>
  host === "" || host.startsWith("/") || Parsers.isLoopback(host)
