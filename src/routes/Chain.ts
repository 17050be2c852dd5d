/**
 * A connection through one upstream or several, one behind the other.
 */
import type * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Deadline from "../base/Deadline.ts"
import { type DialError, UpstreamFailed, UpstreamTimeout, UpstreamUnreachable } from "../Errors.ts"
import { Dialer, fromCode, type Outgoing } from "../network/Dialer.ts"
import { addressesOf, type Resolver } from "../network/Resolver.ts"
import { NetworkSettings } from "../network/Settings.ts"
import type { Secure } from "../network/TlsClient.ts"
import * as UnixDialer from "../network/UnixDialer.ts"
import * as Target from "../wire/Target.ts"
import * as Attempts from "./Attempts.ts"
import { Conversation } from "./Conversation.ts"
import * as UpstreamUrl from "./UpstreamUrl.ts"
import type { Request } from "./upstreams/Kind.ts"
import { kinds } from "./upstreams/Kinds.ts"

/** An upstream, with its TLS handshake. */
export interface Hop {
  readonly upstream: UpstreamUrl.Upstream
  /** Its URL as messages show it. */
  readonly shown: string
  readonly secure: Secure | undefined
}

/** The upstreams, the one next to this server first. */
export type Hops = Arr.NonEmptyReadonlyArray<Hop>

/** A connection to the target, and the address from which the last upstream connects, if the upstream tells. */
export interface Reached extends Omit<Outgoing, "remote"> {
  readonly bound: NetAddress.InetAddress | undefined
  /** The address of the first upstream; undefined on a Unix-domain socket. */
  readonly first: NetAddress.InetAddress | undefined
}

/** A conversation with the last upstream. */
export interface Conversing extends Omit<Reached, "transport" | "early"> {
  readonly conversation: Conversation
}

export type Services = Dialer | NetworkSettings | Resolver | Scope.Scope

/** How far an attempt to get through hops has come. */
export class Progress {
  /** Until when it may go on, by `Deadline.now`; undefined for as long as the connect timeout. */
  readonly until: number | undefined
  /** The upstream that is to answer. */
  upstream = ""
  /** Whether the last upstream has been asked for the target. */
  isAsked = false
  /** The proxies that have asked for the target, as `Via` has them (RFC 9110 §7.6.3). */
  via: string | undefined

  constructor(until?: number) {
    this.until = until
  }

  /** The error of an attempt that takes too long. */
  get timeout(): DialError {
    return this.explained(new UpstreamTimeout({ upstream: this.upstream }))
  }

  /** An error of the attempt, which says whether the last upstream had been asked for the target. */
  explained(error: DialError): DialError {
    if (!this.isAsked) return error
    const { _tag } = error
    const after = "request"
    if (_tag === "UpstreamTimeout") return new UpstreamTimeout({ upstream: error.upstream, after })
    return _tag === "UpstreamFailed"
      ? new UpstreamFailed({ upstream: error.upstream, reason: error.reason, after })
      : error
  }
}

/** Connects through the hops to the target. The connection closes with the scope. */
export const connect = (
  hops: Hops,
  target: Target.Target,
  progress?: Progress
): Effect.Effect<Reached, DialError, Services> =>
  connectToLast(hops, progress, (conversation, hop, bound) =>
    pass(conversation, hop, { target, via: progress?.via, bound })
  )

/** Connects to the last of the hops, and says to it what `last` does, in the same way. */
export const connectToLast = (
  hops: Hops,
  progress?: Progress,
  last: Last = () => Effect.void
): Effect.Effect<Reached, DialError, Services> =>
  Effect.map(converse(hops, progress, last), ({ conversation, ...rest }) => ({
    ...conversation.release(),
    ...rest
  }))

/** What is said to the last upstream. `bound` takes the address from which that one connects. */
export type Last = (
  conversation: Conversation,
  hop: Hop,
  bound: (address: NetAddress.InetAddress) => void
) => Effect.Effect<void, DialError>

/** The same, and the conversation with the last upstream goes on. */
export const converse = Effect.fnUntraced(function* (
  hops: Hops,
  progress: Progress = new Progress(),
  last: Last
): Effect.fn.Return<Conversing, DialError, Services> {
  progress.upstream = hops[0].shown
  progress.isAsked = false
  const reached = Effect.gen(function* () {
    const { transport, local, remote } = yield* dial(hops[0])
    const conversation = new Conversation(transport)
    let bound: NetAddress.InetAddress | undefined
    const unbound = () => {}
    for (const [index, hop] of hops.entries()) {
      progress.upstream = hop.shown
      const next = hops[index + 1]
      conversation.upstream = progress.upstream
      conversation.reported = next === undefined ? identity : ofHop(next)
      yield* encrypt(conversation, hop)
      yield* next === undefined
        ? last(conversation, hop, (address) => {
            bound = address
          })
        : pass(conversation, hop, { target: placeOf(next), via: progress.via, bound: unbound })
      progress.isAsked = next === undefined
      if (!hop.upstream.isPipelined) yield* conversation.settle
    }
    yield* conversation.settle
    return { conversation, local, first: remote, bound }
  })
  return yield* Deadline.within(
    reached,
    yield* left(progress),
    Effect.suspend(() => Effect.fail(progress.timeout))
  ).pipe(Effect.mapError((error) => progress.explained(error)))
})

/** The time that an attempt has left. */
const left = ({ until }: Progress): Effect.Effect<Duration.Duration, never, NetworkSettings> =>
  until === undefined
    ? Effect.map(NetworkSettings, ({ connectTimeout }) => connectTimeout)
    : Effect.clockWith((clock) => Effect.succeed(Duration.millis(Math.max(0, until - Deadline.now(clock)))))

/** Does the TLS handshake with an upstream that speaks TLS. */
const encrypt = (
  conversation: Conversation,
  { upstream, shown, secure }: Hop
): Effect.Effect<void, DialError> =>
  secure === undefined
    ? Effect.void
    : conversation.upgrade((plain, unread) =>
        Effect.mapError(
          secure(plain, unread, hostOf(upstream)),
          (reason) => new UpstreamFailed({ upstream: shown, reason })
        )
      )

/** Has an upstream connect to the next one, or to the target. */
const pass = (
  conversation: Conversation,
  { upstream: { kind, credentials, isPipelined } }: Hop,
  { target, via, bound }: Pick<Request, "target" | "via" | "bound">
): Effect.Effect<void, DialError> =>
  Effect.mapError(
    kinds[kind].connect(conversation, {
      target,
      credentials: credentials && Redacted.value(credentials),
      isPipelined,
      via,
      bound
    }),
    conversation.reported
  )

interface Dialled extends Pick<Outgoing, "transport" | "local"> {
  readonly remote: NetAddress.InetAddress | undefined
}

/** The connection to the first upstream. Its addresses are those of its name now, and no policy judges them. */
const dial = Effect.fnUntraced(function* (
  hop: Hop
): Effect.fn.Return<Dialled, DialError, Dialer | NetworkSettings | Resolver | Scope.Scope> {
  const unreachable = ofHop(hop)
  const { place } = hop.upstream
  if ("path" in place) {
    const transport = yield* Effect.mapError(UnixDialer.connect(place.path), (code) =>
      unreachable(fromCode(code))
    )
    return { transport, local: nowhere, remote: undefined }
  }
  const { host, port } = place
  const addresses = yield* Effect.mapError(addressesOf(host), unreachable)
  const dialer = yield* Dialer
  const { connectTimeout } = yield* NetworkSettings
  const [head, ...tail] = addresses.map((address) => ({ address }))
  const { late } = addresses
  const candidates = Object.assign([head!, ...tail] as const, {
    late: late && Effect.map(late, (more) => more.map((address) => ({ address })))
  })
  const attempt = ({ address }: { readonly address: NetAddress.IpAddress }) => dialer.connect(address, port)
  return yield* Effect.mapError(
    Attempts.first(Target.format(place), candidates, attempt, connectTimeout),
    unreachable
  )
})

/** The local address of a connection on a Unix-domain socket. */
const nowhere = NetAddress.inetAddressUnsafe(NetAddress.ipv4Unspecified, 0)

/** The error to report if this is the error of a connection to an upstream. */
const ofHop =
  ({ shown: upstream }: Hop) =>
  (error: { readonly _tag: string; readonly message: string }): DialError => {
    if (passed.has(error._tag)) return error as DialError
    return error._tag === "ConnectTimeout"
      ? new UpstreamTimeout({ upstream })
      : new UpstreamUnreachable({ upstream, reason: error.message })
  }

/** Errors that are about an upstream already, or about this machine. */
const passed: ReadonlySet<string> = new Set([
  "OutOfResources",
  "UpstreamUnreachable",
  "UpstreamTimeout",
  "UpstreamLoginFailed",
  "UpstreamFailed"
])

const hostOf = ({ place }: UpstreamUrl.Upstream): string =>
  "path" in place ? "localhost" : UpstreamUrl.hostText(place.host)

/** An upstream behind another one is a target of that one. The settings refuse Unix-domain sockets there. */
const placeOf = ({ upstream: { place } }: Hop): Target.Target =>
  "path" in place ? { host: NetAddress.ipv4Unspecified, port: 0 } : place
