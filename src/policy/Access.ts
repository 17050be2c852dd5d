/**
 * The access that a policy judges: identity, client, command and target.
 */
import type * as NetAddress from "effect/net/NetAddress"
import type { Identity } from "../auth/Identity.ts"
import type { Command } from "../config/conditions/Commands.ts"
import type { ProtocolName } from "../config/Parsers.ts"
import type { Target } from "../wire/Target.ts"

/** The properties of a request that a policy judges. */
export interface Access {
  readonly identity: Identity
  /** The client's own address; undefined for a client of a Unix-domain socket. */
  readonly client: NetAddress.IpAddress | undefined
  /** The address or path of the listener, as it is logged. */
  readonly listener: string
  readonly protocol: Uppercase<ProtocolName>
  readonly command: Uppercase<Command>
  /**
   * The target as the client named it; undefined for ASSOCIATE itself, because each datagram has a target of its own.
   */
  readonly target: Target | undefined
}
