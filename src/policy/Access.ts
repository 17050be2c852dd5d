/**
 * What a decision depends on: who asks, from where, and for what.
 */
import type * as NetAddress from "effect/net/NetAddress"
import type { Identity } from "../auth/Identity.ts"
import type { Target } from "../wire/Target.ts"

export interface Access {
  readonly identity: Identity
  /** The client's own address; nothing for one that came through the file system. */
  readonly client: NetAddress.IpAddress | undefined
  /** Which of the server's addresses or paths it came to, as logs have it. */
  readonly listener: string
  readonly protocol: "SOCKS5" | "SOCKS4" | "HTTP"
  readonly command: "CONNECT" | "BIND" | "ASSOCIATE" | "FORWARD"
  /** As the client wrote it; nothing for ASSOCIATE itself, whose datagrams each have their own. */
  readonly target: Target | undefined
}
