/**
 * The access that is judged: the identity, the client, and the target that is asked for.
 */
import type * as NetAddress from "effect/net/NetAddress"
import type { Identity } from "../auth/Identity.ts"
import type { Command } from "../config/conditions/Commands.ts"
import type { ProtocolName } from "../config/Parsers.ts"
import type { Target } from "../wire/Target.ts"

/** A request, as far as a policy judges it. */
export interface Access {
  readonly identity: Identity
  /** The client's own address; undefined for a client of a Unix-domain socket. */
  readonly client: NetAddress.IpAddress | undefined
  /** The address or path of the listener, as it is logged. */
  readonly listener: string
  readonly protocol: Uppercase<ProtocolName>
  readonly command: Uppercase<Command>
  /** As the client wrote it; undefined for ASSOCIATE itself, since each of its datagrams has a target. */
  readonly target: Target | undefined
}
