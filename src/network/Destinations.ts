/**
 * Where the datagrams of one association go: an address for each header, found
 * and judged once and not again for every datagram.
 */
import { SocketAddress } from "node:net"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { type InvalidTarget, NotAllowed, type ResolveError } from "../Errors.ts"
import type { Access } from "../policy/Access.ts"
import { Policy } from "../policy/Policy.ts"
import * as Recent from "../policy/Recent.ts"
import * as Address from "../wire/Address.ts"
import * as Datagram from "../wire/Datagram.ts"
import * as Permit from "./Permit.ts"
import type { Resolver } from "./Resolver.ts"

/** The other end of a datagram's way, as the sockets have it. */
export interface Remote {
  readonly address: string
  readonly port: number
  readonly isIpv4: boolean
  /** Tells it from all others. */
  readonly key: string
  /** What stands before datagrams from there when they go to the client. */
  readonly header: Uint8Array
}

/** What there is on one header. */
interface Destination {
  until: number
  /** Of the policy that judges it. */
  readonly revision: number
  remote: Remote | undefined
  /** While it is being found: the datagrams for it, with the size of their headers. */
  waiting: Array<readonly [bytes: Buffer, headerSize: number]> | undefined
  readonly queue: Queue
}

/** Datagrams waiting, all destinations of a kind together. */
interface Queue {
  length: number
}

/** Destinations remembered. */
const limit = 1024

/** The longest that a queue may be. */
const queueLimit = 32

/** How long an answer holds, in milliseconds: addresses of names change, and what rules say of the time. */
const foundFor = 60_000
const refusedFor = 5_000

/**
 * Sends a datagram, with a header of this size, on its way: at once, or when its
 * destination is found. Each ends up in `forward` or `drop`, until the scope closes.
 */
export const make = Effect.fnUntraced(function* (
  access: Access,
  forward: (bytes: Buffer, headerSize: number, remote: Remote) => void,
  drop: () => void
): Effect.fn.Return<(bytes: Buffer, headerSize: number) => void, never, Policy | Resolver | Scope.Scope> {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const fork = yield* FiberSet.makeRuntime<Policy | Resolver>()
  const { revision = () => 0 } = yield* Policy
  const known = Recent.make<string, Destination>(limit)
  // Name servers that do not answer are no reason to keep those waiting who ask them nothing.
  const names: Queue = { length: 0 }
  const addresses: Queue = { length: 0 }

  const settle = (destination: Destination, remote?: Remote) => {
    const { waiting = [], queue } = destination
    queue.length -= waiting.length
    destination.waiting = undefined
    destination.remote = remote
    destination.until = clock.currentTimeMillisUnsafe() + (remote ? foundFor : refusedFor)
    for (const [bytes, headerSize] of waiting) {
      if (remote) forward(bytes, headerSize, remote)
      else drop()
    }
  }

  const seek = (bytes: Buffer, queue: Queue): Destination => {
    const destination: Destination = {
      until: Infinity,
      revision: revision(),
      remote: undefined,
      waiting: [],
      queue
    }
    fork(
      Effect.matchCause(find(access, bytes), {
        onFailure: () => settle(destination),
        onSuccess: (remote) => settle(destination, remote)
      })
    )
    return destination
  }

  return (bytes, headerSize) => {
    const key = bytes.toString("latin1", Address.start, headerSize)
    let destination = known.get(key)
    if (
      destination === undefined ||
      destination.until <= clock.currentTimeMillisUnsafe() ||
      destination.revision !== revision()
    ) {
      const queue = bytes[Address.start] === Address.AddressType.DomainName ? names : addresses
      if (queue.length >= queueLimit) return drop()
      destination = seek(bytes, queue)
      known.set(key, destination)
    }
    const { remote, waiting, queue } = destination
    if (remote) return forward(bytes, headerSize, remote)
    if (waiting === undefined || queue.length >= queueLimit) return drop()
    queue.length++
    waiting.push([bytes, headerSize])
  }
})

/**
 * The first address that is allowed, IPv4 before IPv6: nothing tells of a
 * datagram that there was no route for it, so it has to be the likelier one.
 */
const find = Effect.fnUntraced(function* (
  access: Access,
  bytes: Uint8Array
): Effect.fn.Return<Remote, InvalidTarget | ResolveError | NotAllowed, Policy | Resolver> {
  const target = yield* Effect.fromResult(Datagram.target(bytes))
  const { addresses, decision } = yield* Permit.grant({ ...access, target })
  // A rule's limits are counted by connections, and datagrams must be no way round them.
  if (decision.limits) {
    return yield* new NotAllowed({
      reason: "a rule with limits lets no datagrams through",
      rule: decision.rule
    })
  }
  const address = addresses.find(NetAddress.isIpv4Address) ?? addresses[0]
  return remoteAt(NetAddress.inetAddressUnsafe(address, target.port))
})

/** The text of the address is the system's, which the socket will give for what comes back. */
export const remoteAt = (at: NetAddress.InetAddress): Remote => {
  const isIpv4 = NetAddress.isIpv4Address(at.address)
  const family = isIpv4 ? "ipv4" : "ipv6"
  const { address } = new SocketAddress({ address: NetAddress.formatIp(at.address), port: at.port, family })
  const { port } = at
  return { address, port, isIpv4, key: keyOf({ address, port }), header: Datagram.header(at) }
}

/** The key of the remote that a datagram came from. */
export const keyOf = ({ address, port }: { readonly address: string; readonly port: number }): string =>
  `${address} ${port}`
