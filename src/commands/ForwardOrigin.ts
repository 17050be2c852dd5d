/**
 * The connection to the origin of a forwarded request: the one that the client has to itself, one that was kept, or a
 * new one.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as Finalizers from "../base/Finalizers.ts"
import * as Phases from "../base/Phases.ts"
import type { DialError, InvalidTarget, LimitError, NotAllowed, ResolveError } from "../Errors.ts"
import type { Dialer } from "../network/Dialer.ts"
import type { HttpExchange } from "../network/HttpExchange.ts"
import { HttpOrigin } from "../network/HttpOrigin.ts"
import type { Pseudonym } from "../network/Pseudonym.ts"
import type { Resolver } from "../network/Resolver.ts"
import type { NetworkSettings } from "../network/Settings.ts"
import type { Permitted } from "../policy/Authorize.ts"
import type { Decision } from "../policy/Decision.ts"
import type { Policy } from "../policy/Policy.ts"
import type { JudgedTarget, Route } from "../routes/Route.ts"
import { CurrentRoute } from "../routes/Routes.ts"
import type { Admitted } from "../session/States.ts"
import * as HttpFields from "../wire/HttpFields.ts"
import * as Target from "../wire/Target.ts"
import type { CommandContext } from "./CommandContext.ts"
import * as Connect from "./Connect.ts"
import { OriginPool } from "./OriginPool.ts"

/** A connection to an origin, the key under which it may be kept, and the decision about its address. */
export interface Place {
  readonly origin: HttpOrigin
  /** Undefined if the connection must not be kept. */
  readonly key: string | undefined
  readonly decision: Decision
  /** Whether the connection was given back, so that it stays open behind this request. */
  isGivenBack: boolean
}

interface Options extends Pick<CommandContext, "admitted" | "chargeRule" | "log"> {
  readonly exchange: HttpExchange
  /** Whether a connection may be used on which there were requests before. */
  readonly canReuse: boolean
}

/**
 * Who may have a connection again: the user, or without a user the client's address. Limits count a network of IPv6 as one
 * client, but many people may be in it.
 */
const ownerOf = ({ identity: { user }, peer: { remote } }: Admitted): string =>
  user !== undefined
    ? `user ${user}`
    : `client ${NetAddress.isInetAddress(remote) ? NetAddress.formatIp(remote.address) : remote.path}`

/** What a connection to the origin needs, and is found by. */
interface Wanted {
  readonly options: Options
  readonly judged: Pick<JudgedTarget, "access" | "permitted" | "via">
  /** Makes a connection to the origin, or to an upstream that takes the request. */
  readonly connect: Route["connect"]
  readonly keyFor: (permitted: Permitted) => string | undefined
}

/**
 * A connection to an address that the policy allows for this request. It closes with the scope, unless it was given
 * back.
 */
export const open = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<
  Place,
  InvalidTarget | NotAllowed | ResolveError | DialError | LimitError,
  NetworkSettings | OriginPool | Policy | Pseudonym | Resolver | Dialer | Scope.Scope
> {
  const { admitted, chargeRule, exchange, canReuse } = options
  const judged = { ...(yield* Connect.judge(admitted)), via: yield* Connect.viaOf(admitted) }
  const route = yield* CurrentRoute
  const keyFor = keysOf(admitted, judged.access, route, yield* Clock.currentTimeMillis)
  // A request for WebSocket goes through a tunnel (RFC 6455 §4.1), and not to an upstream.
  const forward = HttpFields.isUpgrade(exchange.head.fields) ? undefined : route.forward
  const wanted = { options, judged, keyFor, connect: forward ?? route.connect }
  const place =
    canReuse && (forward !== undefined || route.forward === undefined)
      ? kept(wanted, yield* OriginPool)
      : undefined
  if (place === undefined) return yield* dial(wanted)
  yield* closing(place)
  yield* chargeRule(place.decision)
  return place
})

/** The key of connections to an address by this route. Undefined if none may be kept. */
const keysOf = (
  admitted: Admitted,
  access: Wanted["judged"]["access"],
  route: Route,
  now: number
): Wanted["keyFor"] => {
  // With the name: a connection that is authenticated for one site of an address is not for another one, which a stranger
  // may have pointed there.
  const place = `${ownerOf(admitted)}\n${Target.format(access.target)}`
  return (permitted) => {
    const byRoute = route.keyOf === undefined ? "" : route.keyOf(access, permitted, now)
    return byRoute === undefined
      ? undefined
      : `${place}\n${NetAddress.formatIp(permitted.address)}\n${byRoute}`
  }
}

/** A connection of earlier requests, if there is one that this request may use. */
const kept = (
  { options: { exchange }, judged, keyFor }: Wanted,
  { take }: OriginPool["Service"]
): Place | undefined => {
  const { pinned } = exchange.channel
  // A request that must not be made twice is not made where the origin may be about to close.
  const mayRepeat = isRepeatable(exchange)
  for (const permitted of judged.permitted) {
    const key = keyFor(permitted)
    if (key === undefined) continue
    const isPinned = pinned?.key === key && pinned.origin.isClean
    const origin = isPinned ? pinned.origin : mayRepeat ? take(key) : undefined
    if (origin) return { origin, key, decision: permitted.decision, isGivenBack: false }
  }
  return undefined
}

/** A new connection. */
const dial = Effect.fnUntraced(function* ({ options: { chargeRule, log }, judged, connect, keyFor }: Wanted) {
  const scope = yield* Effect.scope
  const own = yield* Scope.make()
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const connected = connect({
    ...judged,
    chargeRule: (decision) => Scope.provide(chargeRule(decision), scope),
    log
  })
  const { outgoing, decision } = yield* Phases.run("dial", connected).pipe(
    Scope.provide(own),
    Effect.onError(() => Scope.close(own, Exit.void))
  )
  const release = () => fork(Scope.close(own, Exit.void))
  const origin = new HttpOrigin(outgoing, release)
  const key = keyFor({ address: outgoing.remote.address, decision })
  const opened = { origin, key, decision, isGivenBack: false }
  yield* closing(opened)
  return opened
})

/** Keeps the connection for further requests: of this client's connection if it is authenticated, or of the same owner. */
export const giveBack = (
  place: Place,
  { channel, head }: HttpExchange
): Effect.Effect<void, never, OriginPool> =>
  Effect.flatMap(OriginPool, ({ give }) => {
    const { origin, key } = place
    if (key === undefined) return Effect.void
    const isPinned = channel.pinned?.origin === origin
    place.isGivenBack = true
    origin.isReused = true
    if (!isPinned && !HttpFields.authenticatesConnection(head.fields)) return give(key, origin)
    if (!isPinned) channel.pinned?.origin.close()
    channel.pinned = { key, origin }
    origin.watch(() => origin.close())
    if (channel.transport.isClosed) origin.close()
    return Effect.void
  })

/** Whether the request can be sent again: it changes nothing more then, and no part of a body is gone. */
export const isRepeatable = ({ head, framing }: HttpExchange): boolean =>
  HttpFields.isRepeatable(head.method) && framing._tag === "None"

/** Closes the connection with the scope, unless another request can use it. */
const closing = (place: Place): Effect.Effect<void, never, Scope.Scope> =>
  Finalizers.add(Effect.sync(() => place.isGivenBack || place.origin.close()))
