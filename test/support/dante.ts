/**
 * Dante's client, which makes a program that knows nothing of proxies use one.
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Temporary from "./temporary.ts"

/** What `socksify` needs in its environment to send everything, loopback too, to the proxy on this port of 127.0.0.1. */
export const environment = Effect.fnUntraced(function* (
  port: number
): Effect.fn.Return<Readonly<Record<string, string>>, never, Scope.Scope> {
  const file = join(yield* Temporary.directory, "socks.conf")
  yield* Effect.promise(() => writeFile(file, route(port)))
  // Else it goes to loopback by itself.
  return { SOCKS_CONF: file, SOCKS_AUTOADD_LANROUTES: "no" }
})

const route = (port: number) => `
route {
  from: 0.0.0.0/0 to: 0.0.0.0/0 via: 127.0.0.1 port = ${port}
  proxyprotocol: socks_v5
  protocol: tcp udp
  command: connect bind udpassociate
  method: none
}`
