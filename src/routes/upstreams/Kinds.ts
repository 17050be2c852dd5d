/**
 * The kinds of upstreams.
 */
import type { KindName } from "../UpstreamUrl.ts"
import * as Http from "./Http.ts"
import type { Kind } from "./Kind.ts"
import * as Socks4 from "./Socks4.ts"
import * as Socks5 from "./Socks5.ts"

/** Every kind of upstream, by its name in URLs. */
export const kinds: Readonly<Record<KindName, Kind>> = {
  socks5: Socks5.kind,
  socks4: Socks4.kind,
  http: Http.kind
}
