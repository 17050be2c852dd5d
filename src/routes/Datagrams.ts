/**
 * The relay of an upstream for the datagrams of an association (RFC 1928 §7).
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import { type DialError, RouteUnable, UpstreamFailed } from "../Errors.ts"
import * as Chain from "./Chain.ts"
import type { Member } from "./Pool.ts"
import type { DatagramRelay } from "./Route.ts"
import * as UpstreamUrl from "./UpstreamUrl.ts"
import { kinds } from "./upstreams/Kinds.ts"

/** Whether the member can relay datagrams: they go straight to the relay, so not through a chain. */
export const canAssociate = ({ hops: [{ upstream }, ...others] }: Member): boolean =>
  others.length === 0 && kinds[upstream.kind].associate !== undefined

/** Asks the upstream of the member for a relay, which stays until the scope closes. */
export const associate = Effect.fnUntraced(function* (
  member: Member
): Effect.fn.Return<DatagramRelay, DialError, Chain.Services> {
  const [{ upstream }] = member.hops
  if (!canAssociate(member)) {
    return yield* new RouteUnable({ reason: `${member.name} carries no datagrams` })
  }
  const { isPipelined } = upstream
  const credentials = upstream.credentials && Redacted.value(upstream.credentials)
  const { transport, first, bound } = yield* Chain.connectToLast(member.hops, 1, (conversation, _, bound) =>
    Effect.map(kinds[upstream.kind].associate!(conversation, { credentials, isPipelined }), bound)
  )
  const address = bound && NetAddress.isUnspecified(bound.address) ? first?.address : bound?.address
  if (address === undefined) {
    return yield* new UpstreamFailed({
      upstream: UpstreamUrl.shown(upstream),
      reason: "a relay without an address"
    })
  }
  const ignored = () => {}
  transport.listen({ received: ignored, lent: ignored, ended: ignored, closed: ignored })
  transport.keepAlive()
  transport.resume()
  return {
    at: NetAddress.inetAddressUnsafe(address, bound!.port),
    get hasEnded() {
      return transport.isClosed || transport.hasEnded
    }
  }
})
