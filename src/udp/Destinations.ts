/**
 * The destinations of the datagrams of one association. The target in a header is resolved and judged once, and not for
 * every datagram.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as LruMap from "../base/LruMap.ts"
import type { DialError, InvalidTarget, LimitError, ResolveError } from "../Errors.ts"
import type { Source } from "../network/Source.ts"
import type { UdpEndpoint } from "../network/UdpSocket.ts"
import { UdpSockets } from "../network/UdpSockets.ts"
import type { Access } from "../policy/Access.ts"
import * as Authorize from "../policy/Authorize.ts"
import { Policy } from "../policy/Policy.ts"
import type { Connecting, DatagramRelay, JudgedTarget, Share } from "../routes/Route.ts"
import { CurrentRoute } from "../routes/Routes.ts"
import * as Address from "../wire/Address.ts"
import * as Datagram from "../wire/Datagram.ts"
import * as Target from "../wire/Target.ts"
import type { Room } from "./DatagramBudget.ts"
import * as Relays from "./Relays.ts"
import type { RuleUse, RuleUses } from "./RuleUses.ts"

/** The endpoint that datagrams are sent to and come back from. */
export interface Remote {
  readonly to: UdpEndpoint
  readonly isIpv4: boolean
  /** The addresses from which datagrams to the remote leave; undefined where the system chooses. */
  readonly source: Source | undefined
  /** The header of datagrams from the remote to the client. */
  readonly header: Uint8Array
  /** The use of the rule that allows the remote, if the rule has limits. */
  readonly use: RuleUse | undefined
  /** The decision about the remote; undefined for a sender to which the client has not sent (full cone). */
  readonly permit: Permit | undefined
  /** The upstream to which datagrams are sent in place of the remote, each with `relayHeader` in front. */
  readonly relay: Relay | undefined
  readonly relayHeader: Uint8Array
}

export interface Relay {
  readonly to: UdpEndpoint
  readonly upstream: DatagramRelay
}

/** A target and one of its addresses that the policy allowed, with the policy's last decision about them. */
interface Permit {
  readonly target: Target.Target
  readonly address: NetAddress.IpAddress
  /** The revision of the policy that decided last. */
  revision: number
  isAllowed: boolean
}

export interface Destinations {
  /** Sends a datagram that has a header of this size: at once, or when its destination is found. The bytes may be lent. */
  readonly send: (bytes: Buffer, headerSize: number) => void
  /** Whether datagrams of the remote may go to the client. After a reload the remote is judged again. */
  readonly mayAnswer: (remote: Remote) => boolean
}

/** The destination of one header. */
interface Destination {
  /** Milliseconds since the epoch when the destination is looked up again. */
  until: number
  /** The revision of the policy that decided. */
  readonly revision: number
  remote: Remote | undefined
  /** The waiting datagrams with the size of their headers; undefined once the look-up has ended. */
  waiting: Array<readonly [bytes: Buffer, headerSize: number]> | undefined
  readonly queue: Queue
}

/** The number of waiting datagrams of all destinations of one kind: names or addresses. */
interface Queue {
  length: number
}

/** The number of most recent destinations that are remembered. `LruMap` keeps at most twice as many. */
const limit = 512

/** The most datagrams of a queue. */
const queueLimit = 32

/** Milliseconds for which a destination is kept: addresses of names change, and rules can depend on the time. */
const foundFor = 60_000
const refusedFor = 5_000

/** The destinations of one association, until the scope closes. Every datagram ends in `forward` or `drop`. */
export const make = Effect.fnUntraced(function* (
  access: Access,
  uses: RuleUses,
  room: Room,
  forward: (bytes: Buffer, headerSize: number, remote: Remote) => void,
  drop: () => void,
  log?: JudgedTarget["log"]
): Effect.fn.Return<Destinations, never, Policy | Connecting | Scope.Scope> {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const fork = yield* FiberSet.makeRuntime<Policy | Connecting>()
  const share = yield* Relays.make
  const { judge, revision = () => 0 } = yield* Policy
  const { endpoint } = yield* UdpSockets
  const known = LruMap.make<string, Destination>(limit, room)
  const since = clock.currentTimeMillisUnsafe()
  // Datagrams to addresses do not wait behind datagrams to names that are being resolved.
  const names: Queue = { length: 0 }
  const addresses: Queue = { length: 0 }

  const finishLookUp = (destination: Destination, remote?: Remote) => {
    const { waiting = [], queue } = destination
    queue.length -= waiting.length
    destination.waiting = undefined
    destination.remote = remote
    destination.until = clock.currentTimeMillisUnsafe() + (remote ? foundFor : refusedFor)
    for (const [bytes, headerSize] of waiting) {
      room.giveBack(bytes.length)
      if (remote) forward(bytes, headerSize, remote)
      else drop()
    }
  }

  const lookUp = (header: Buffer, queue: Queue): Destination => {
    const destination: Destination = {
      until: Infinity,
      revision: revision(),
      remote: undefined,
      waiting: [],
      queue
    }
    fork(
      Effect.matchCause(find({ access, since, log }, uses, share, header, destination.revision), {
        onFailure: () => finishLookUp(destination),
        onSuccess: ({ remote, use, permit, upstream, source }) => {
          const relay = upstream && { to: endpoint(upstream.at), upstream }
          finishLookUp(destination, remoteAt(endpoint(remote), use, permit, { relay, source }))
        }
      })
    )
    return destination
  }

  const send = (bytes: Buffer, headerSize: number) => {
    const key = bytes.toString("latin1", Address.start, headerSize)
    let destination = known.get(key)
    if (
      destination === undefined ||
      destination.until <= clock.currentTimeMillisUnsafe() ||
      destination.revision !== revision() ||
      destination.remote?.use?.hasEnded === true ||
      destination.remote?.relay?.upstream.hasEnded === true
    ) {
      const queue = bytes[Address.start] === Address.AddressType.DomainName ? names : addresses
      // What is looked up has a datagram that waits for it, so that there are no more look-ups than may wait.
      if (queue.length >= queueLimit || !room.take(bytes.length)) return drop()
      room.giveBack(bytes.length)
      destination = lookUp(Buffer.from(bytes.subarray(0, headerSize)), queue)
      known.set(key, destination)
    }
    const { remote, waiting, queue } = destination
    if (remote) return forward(bytes, headerSize, remote)
    if (waiting === undefined || queue.length >= queueLimit || !room.take(bytes.length)) return drop()
    queue.length++
    waiting.push([Buffer.from(bytes), headerSize])
  }

  /** Judges a permit by the present policy: at once, unless the policy is a custom service that takes time. */
  const judgeAgain = (permit: Permit) => {
    const { target, address } = permit
    const current = revision()
    permit.revision = current
    permit.isAllowed = false
    fork(
      Effect.map(judge({ ...access, target }, address), ({ verdict }) => {
        permit.isAllowed = verdict === "allow" && permit.revision === current
      })
    )
  }

  return {
    send,
    mayAnswer: ({ permit }) => {
      if (permit === undefined) return true
      if (permit.revision !== revision()) judgeAgain(permit)
      return permit.isAllowed
    }
  }
})

interface Found {
  readonly remote: NetAddress.InetAddress
  readonly use: RuleUse | undefined
  readonly permit: Permit
  readonly upstream: DatagramRelay | undefined
  readonly source: Source | undefined
}

/** What the route of the session has for the datagrams with this header. */
const find = Effect.fnUntraced(function* (
  client: Pick<JudgedTarget, "log"> & { readonly access: Access; readonly since: number },
  uses: RuleUses,
  share: Share,
  header: Uint8Array,
  revision: number
): Effect.fn.Return<Found, InvalidTarget | ResolveError | LimitError | DialError, Policy | Connecting> {
  const target = yield* Effect.fromResult(Datagram.target(header))
  const { since, log } = client
  const access = { ...client.access, target }
  const permitted = yield* Authorize.authorize(access)
  const {
    remote,
    address,
    charge,
    source,
    relay: upstream
  } = yield* (yield* CurrentRoute)
    .datagrams({ access, permitted, chargeRule: uses.of, since, log }, share)
    .pipe(
      Effect.tapError(({ _tag }) =>
        Effect.logDebug("datagrams refused", { target: Target.format(target), outcome: _tag })
      )
    )
  return { remote, use: charge, permit: { target, address, revision, isAllowed: true }, upstream, source }
})

export const remoteAt = (
  to: UdpEndpoint,
  use?: RuleUse,
  permit?: Permit,
  { relay, source }: Partial<Pick<Remote, "relay" | "source">> = {}
): Remote => {
  const header = Datagram.header(to.at)
  const through = relay?.upstream.through ?? []
  return {
    to,
    isIpv4: NetAddress.isIpv4Address((relay?.to ?? to).at.address),
    header,
    use,
    permit,
    relay,
    relayHeader:
      through.length === 0 ? header : Buffer.concat([...through.map((at) => Datagram.header(at)), header]),
    source
  }
}
