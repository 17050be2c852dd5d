/**
 * The relays of upstreams for the datagrams of an association (RFC 1928 §7). In a chain each upstream relays to the relay of
 * the next one, behind a header of its own.
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import { inOwnScope } from "../base/OwnScope.ts"
import { type DialError, RouteUnable, UpstreamFailed } from "../Errors.ts"
import type { Transport } from "../network/Transport.ts"
import * as Chain from "./Chain.ts"
import type { Member } from "./Pool.ts"
import type { DatagramRelay } from "./Route.ts"
import { kinds } from "./upstreams/Kinds.ts"

/** The first upstream that can relay no datagrams; undefined if all can. */
const unable = ({ hops }: Member): Chain.Hop | undefined =>
  hops.find(({ upstream }) => kinds[upstream.kind].associate === undefined || !upstream.carriesDatagrams)

/** Whether the member can relay datagrams: each of its upstreams has to. */
export const canAssociate = (member: Member): boolean => unable(member) === undefined

/** Asks each upstream of the member for a relay, through those before it. The relays stay until the scope closes. */
export const associate = (
  member: Member,
  progress: Chain.Progress
): Effect.Effect<DatagramRelay, DialError, Chain.Services> =>
  // A client can have an association ask again and again, and what is left of a failure would stay as long as that.
  inOwnScope(associated(member, progress))

const associated = Effect.fnUntraced(function* (
  member: Member,
  { until }: Chain.Progress
): Effect.fn.Return<DatagramRelay, DialError, Chain.Services> {
  const other = unable(member)
  if (other !== undefined) {
    return yield* new RouteUnable({ reason: `${other.shown} carries no datagrams` })
  }
  const { hops } = member
  const relays = yield* Effect.forEach(
    hops,
    (_, index) => relayOf([hops[0], ...hops.slice(1, index + 1)], until),
    { concurrency: "unbounded" }
  )
  const [first, ...through] = relays.map(({ at }) => at)
  return {
    at: first!,
    through,
    get hasEnded() {
      return relays.some(({ transport }) => transport.isClosed || transport.hasEnded)
    }
  }
})

interface Relay {
  readonly at: NetAddress.InetAddress
  /** The relay ends with this connection. */
  readonly transport: Transport
}

/** The relay of the last of these upstreams. */
const relayOf = Effect.fnUntraced(function* (
  hops: Chain.Hops,
  until: number | undefined
): Effect.fn.Return<Relay, DialError, Chain.Services> {
  const { upstream, shown } = hops[hops.length - 1]!
  const { isPipelined, place } = upstream
  const credentials = upstream.credentials && Redacted.value(upstream.credentials)
  const progress = new Chain.Progress(until)
  const { transport, first, bound } = yield* Chain.connectToLast(hops, progress, (conversation, _, bound) =>
    Effect.map(kinds[upstream.kind].associate!(conversation, { credentials, isPipelined }), bound)
  )
  const named = "host" in place && NetAddress.isIpAddress(place.host) ? place.host : undefined
  const own = hops.length === 1 ? first?.address : named
  const address = bound && NetAddress.isUnspecified(bound.address) ? own : bound?.address
  if (address === undefined) {
    return yield* new UpstreamFailed({
      upstream: shown,
      reason: "a relay without an address"
    })
  }
  if (hops.length === 1 && first !== undefined && isAstray(address, first.address)) {
    return yield* new UpstreamFailed({
      upstream: shown,
      reason: `a relay at ${NetAddress.formatIp(address)}, where no other machine has one`
    })
  }
  const ignored = () => {}
  transport.listen({ received: ignored, lent: ignored, ended: ignored, closed: ignored })
  transport.keepAlive()
  transport.resume()
  return { at: NetAddress.inetAddressUnsafe(address, bound!.port), transport }
})

/** Whether an upstream would have datagrams sent to this machine or its neighbours, and is not there itself. */
const isAstray = (relay: NetAddress.IpAddress, upstream: NetAddress.IpAddress): boolean => {
  const address = NetAddress.toCanonical(relay)
  return (
    !Equal.equals(address, upstream) &&
    (NetAddress.isMulticast(address) ||
      (NetAddress.isLoopback(address) && !NetAddress.isLoopback(upstream)) ||
      (NetAddress.isLinkLocal(address) && !NetAddress.isLinkLocal(upstream)))
  )
}
