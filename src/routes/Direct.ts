/**
 * The direct route: sockets of this machine connect to the judged addresses themselves.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Order from "effect/Order"
import type * as Scope from "effect/Scope"
import { type DialError, type LimitError, RouteUnable } from "../Errors.ts"
import { Binder } from "../network/Binder.ts"
import { Dialer } from "../network/Dialer.ts"
import { NetworkSettings } from "../network/Settings.ts"
import { CurrentSource, type Source } from "../network/Source.ts"
import * as Authorize from "../policy/Authorize.ts"
import * as Target from "../wire/Target.ts"
import * as Attempts from "./Attempts.ts"
import type { Connected, DatagramDestination, Incoming, JudgedTarget, Route } from "./Route.ts"

/**
 * Connects to the first address that answers, with a staggered start and one deadline for all attempts. The rule of an
 * address is charged before the attempt; if the rule's limits are reached, the address is not tried. The charges of the
 * other addresses are released at once.
 */
const connect = Effect.fnUntraced(function* ({
  access: { target },
  permitted,
  chargeRule
}: JudgedTarget): Effect.fn.Return<
  Connected,
  DialError | LimitError,
  NetworkSettings | Dialer | Scope.Scope
> {
  const dialer = yield* Dialer
  const { connectTimeout } = yield* NetworkSettings
  const attempt = ({ address, decision }: Authorize.Permitted) =>
    chargeRule(decision).pipe(
      Effect.andThen(Effect.suspend(() => dialer.connect(address, target.port))),
      Effect.map((outgoing): Connected => ({ outgoing, decision }))
    )
  return yield* Attempts.first(Target.format(target), permitted, attempt, connectTimeout)
})

/** Listens for a connection from the first address whose rule's limits allow it. */
const listen = Effect.fnUntraced(function* (
  to: JudgedTarget | NetAddress.IpAddress,
  local: NetAddress.IpAddress
): Effect.fn.Return<Incoming, DialError | LimitError, Binder | Scope.Scope> {
  const binder = yield* Binder
  if (NetAddress.isIpAddress(to)) {
    return { listening: yield* binder.listen(to, local), decision: undefined }
  }
  const [{ address, decision }] = yield* Authorize.firstWithRoom(to.permitted, to.chargeRule)
  return { listening: yield* binder.listen(address, local), decision }
})

/**
 * The path to the first address whose rule's limits allow it, IPv4 before IPv6. No error reports that a datagram had no
 * route, so the family that works on more machines comes first.
 */
const datagrams = <Entered>({
  access,
  permitted,
  chargeRule
}: JudgedTarget<Entered, never>): Effect.Effect<DatagramDestination<Entered>, LimitError> =>
  Effect.flatMap(CurrentSource, (source) =>
    Effect.map(
      Authorize.firstWithRoom(ipv4First(sendable(permitted, source)), chargeRule),
      ([{ address }, charge]) => ({
        remote: NetAddress.inetAddressUnsafe(address, access.target.port),
        address,
        charge
      })
    )
  )

/** The addresses of families that have a source, if there are any. */
const sendable = (permitted: Authorize.Authorized, source: Source | undefined): Authorize.Authorized => {
  if (source === undefined) return permitted
  const [head, ...tail] = permitted.filter(
    ({ address }) => source.of(NetAddress.isIpv4Address(address)) !== undefined
  )
  return head === undefined ? permitted : [head, ...tail]
}

/** The addresses, IPv4 before IPv6. */
export const ipv4First = (permitted: Authorize.Authorized): Authorize.Authorized =>
  Arr.sort(
    permitted,
    Order.mapInput(Order.Boolean, ({ address }: Authorize.Permitted) => !NetAddress.isIpv4Address(address))
  )

export const route: Route = { connect, listen, datagrams }

/**
 * The direct route of a server that has no other one: for addresses whose decision names no other route. A policy of an app
 * may name one, and so may a decision that was made just before a reload.
 */
export const only: Route = {
  connect: (to) => directly(to, route.connect),
  listen: (to, local) =>
    NetAddress.isIpAddress(to) ? route.listen(to, local) : directly(to, (own) => route.listen(own, local)),
  datagrams: (to, share) => directly(to, (own) => route.datagrams(own, share))
}

const directly = <Entered, S, A, E, R>(
  to: JudgedTarget<Entered, S>,
  run: (own: JudgedTarget<Entered, S>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | RouteUnable, R> => {
  const { permitted } = to
  if (permitted.every(isDirect)) return run(to)
  const [head, ...tail] = permitted.filter(isDirect)
  if (head === undefined) {
    return Effect.fail(new RouteUnable({ reason: `there is no route ${permitted[0].decision.route}` }))
  }
  const late = permitted.late && Effect.map(permitted.late, (more) => more.filter(isDirect))
  return run({ ...to, permitted: Object.assign([head, ...tail] as const, { late }) })
}

const isDirect = ({ decision: { route } }: Authorize.Permitted): boolean =>
  route === undefined || route === "direct"
