/**
 * Where datagrams may go.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { NotAllowed } from "../Errors.ts"
import type { Target } from "../wire/Target.ts"
import type { Identity } from "./Authenticator.ts"

/** What a client is about to send to. */
export interface Flow {
  readonly identity: Identity | undefined
  /** The client's own address. */
  readonly client: NetAddress.IpAddress
  /** As the client wrote it. */
  readonly target: Target
  /** Where it would go: one of the target's addresses, never an IPv4 address in IPv6 form. */
  readonly address: NetAddress.IpAddress
}

/**
 * Asked once about each destination of an association, and again when a minute
 * has passed; never for each datagram. By default everything goes everywhere, but
 * to one at a time: who sends to many at once has a megaphone.
 */
export const DatagramPolicy = Context.Reference<{
  readonly judge: (flow: Flow) => Effect.Effect<void, NotAllowed>
}>("effect-socks/policy/DatagramPolicy", {
  defaultValue: () => ({
    judge: ({ address }) => (isMany(address) ? Effect.fail(toMany) : Effect.void)
  })
})

const isMany = (address: NetAddress.IpAddress): boolean =>
  NetAddress.isMulticast(address) || (NetAddress.isIpv4Address(address) && NetAddress.isBroadcast(address))

const toMany = new NotAllowed({ reason: "multicast and broadcast are not passed on" })
