/**
 * The direct route: sockets of this machine connect to the judged addresses themselves.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as NetAddress from "effect/net/NetAddress"
import * as Order from "effect/Order"
import type * as Scope from "effect/Scope"
import * as Deadline from "../base/Deadline.ts"
import { ConnectTimeout, type DialError, type LimitError } from "../Errors.ts"
import { AddressHistory } from "../network/AddressHistory.ts"
import { Binder } from "../network/Binder.ts"
import { Dialer } from "../network/Dialer.ts"
import * as HappyEyeballs from "../network/HappyEyeballs.ts"
import { NetworkSettings } from "../network/Settings.ts"
import { CurrentSource, type Source } from "../network/Source.ts"
import * as Authorize from "../policy/Authorize.ts"
import * as Target from "../wire/Target.ts"
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
  const errors: Array<DialError | LimitError> = []
  const attempt = ({ address, decision }: Authorize.Permitted) =>
    chargeRule(decision).pipe(
      Effect.andThen(Effect.suspend(() => dialer.connect(address, target.port))),
      Effect.map((outgoing): Connected => ({ outgoing, decision }))
    )
  const { late } = permitted
  // A single address needs no staggered start.
  if (permitted.length === 1 && late === undefined) return yield* attempt(permitted[0])
  const history = yield* AddressHistory
  const host = Target.format(target)
  const noted = (one: Authorize.Permitted) =>
    attempt(one).pipe(
      Effect.tap(() => Effect.sync(() => history.record(host, permitted[0].address, one.address))),
      Effect.tapError((error) => Effect.sync(() => errors.push(error)))
    )
  const [head, ...tail] = Arr.map(preferring(permitted, history.find(host)), noted)
  const { connectTimeout } = yield* NetworkSettings
  return yield* Deadline.within(
    Effect.mapError(
      HappyEyeballs.first(
        [head, ...(late === undefined ? tail : [lateAttempt(late, noted), ...tail])],
        delay
      ),
      () => errors[0]!
    ),
    connectTimeout,
    Effect.fail(new ConnectTimeout())
  ).pipe(Effect.mapError((error) => mostTelling(errors, error)))
})

/** Tries the addresses of a family that the name server is late with. They come second, as families alternate. */
const lateAttempt = <A>(
  late: NonNullable<Authorize.Authorized["late"]>,
  attempt: (permitted: Authorize.Permitted) => Effect.Effect<A, unknown, Scope.Scope>
): Effect.Effect<A, unknown, Scope.Scope> =>
  Effect.flatMap(
    late,
    (permitted): Effect.Effect<A, unknown, Scope.Scope> =>
      Arr.isReadonlyArrayNonEmpty(permitted)
        ? HappyEyeballs.first(Arr.map(permitted, attempt), delay)
        : Effect.fail("no more addresses")
  )

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
 * The addresses in the order in which to try them: first the one that has worked before, or another of its family. Name
 * servers change the order of addresses, and a family that does not work fails with all its addresses.
 */
const preferring = (
  permitted: Authorize.Authorized,
  worked: NetAddress.IpAddress | undefined
): Authorize.Authorized => {
  if (worked === undefined) return permitted
  const isIpv4 = NetAddress.isIpv4Address(worked)
  const head =
    permitted.find(({ address }) => Equal.equals(address, worked)) ??
    permitted.find(({ address }) => NetAddress.isIpv4Address(address) === isIpv4)
  return head === undefined ? permitted : [head, ...permitted.filter((other) => other !== head)]
}

/** RFC 8305 §5, Connection Attempt Delay. */
const delay = "250 millis"

/**
 * The error to report for several addresses: a reached limit, or else the error from nearest to the target. Attempts that
 * were still under way at the deadline have timed out.
 */
export const mostTelling = (
  errors: ReadonlyArray<DialError | LimitError>,
  last: DialError | LimitError
): DialError | LimitError => errors.reduce((best, error) => (rank(error) < rank(best) ? error : best), last)

const rank = ({ _tag }: DialError | LimitError): number => {
  const index = mostTellingFirst.indexOf(_tag)
  return index === -1 ? mostTellingFirst.length : index
}

const mostTellingFirst: ReadonlyArray<(DialError | LimitError)["_tag"]> = [
  "SessionLimitReached",
  "TooManyNewSessions",
  "QuotaExceeded",
  "ConnectionRefused",
  "HostUnreachable",
  "NotAllowed",
  "ConnectTimeout",
  "EgressUnavailable",
  // What this machine lacks, often for one of the families only.
  "OutOfResources",
  "NetworkUnreachable",
  "ConnectFailed"
]
