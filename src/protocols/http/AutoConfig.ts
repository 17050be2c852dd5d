/**
 * Requests for the proxy auto-config file, which browsers send to the proxy as if it were a site. They have no credentials.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { AutoConfigRequested, type NotForProxy } from "../../Errors.ts"
import { AutoConfig } from "../../policy/AutoConfig.ts"
import type { Accepted } from "../../session/States.ts"
import * as Wire from "../../wire/Http.ts"

/** The second path is that of automatic discovery (WPAD). */
const paths: ReadonlySet<string> = new Set(["/proxy.pac", "/wpad.dat"])

/** The error to answer a request that is for this server itself: with the file, if the server has one. */
export const answer = Effect.fnUntraced(function* (
  error: NotForProxy,
  head: Wire.Head,
  { peer, isTls = false }: Accepted
): Effect.fn.Return<never, AutoConfigRequested | NotForProxy> {
  const config = yield* AutoConfig
  const isAsked = (head.method === "GET" || head.method === "HEAD") && paths.has(head.target)
  const proxy = config && isAsked ? Wire.ownAuthority(head, isTls ? 443 : 80) : undefined
  if (config === undefined || proxy === undefined) return yield* error
  const client = NetAddress.isInetAddress(peer.remote) ? peer.remote.address : undefined
  return yield* new AutoConfigRequested({ script: config.script({ proxy, isTls, client }) })
})
