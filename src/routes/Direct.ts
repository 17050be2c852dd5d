/**
 * The direct route: sockets of this machine connect to the judged addresses themselves.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Order from "effect/Order"
import type * as Scope from "effect/Scope"
import * as Deadline from "../base/Deadline.ts"
import { ConnectTimeout, type DialError, type LimitError } from "../Errors.ts"
import { Binder } from "../network/Binder.ts"
import { Dialer } from "../network/Dialer.ts"
import * as HappyEyeballs from "../network/HappyEyeballs.ts"
import { NetworkSettings } from "../network/Settings.ts"
import * as Authorize from "../policy/Authorize.ts"
import type { Connected, DatagramDestination, Incoming, JudgedTarget, Route } from "./Route.ts"

/**
 * Connects to the first address that answers, with a staggered start and one deadline for all attempts. The rule of an
 * address is charged before the attempt; if the rule's limits are reached, the address is not tried. The charges of the
 * other addresses are released at once.
 */
const connect = Effect.fnUntraced(function* ({
  access: {
    target: { port }
  },
  permitted: [head, ...tail],
  chargeRule
}: JudgedTarget): Effect.fn.Return<
  Connected,
  DialError | LimitError,
  NetworkSettings | Dialer | Scope.Scope
> {
  const dialer = yield* Dialer
  const attempt = ({ address, decision }: Authorize.Permitted) =>
    chargeRule(decision).pipe(
      Effect.andThen(Effect.suspend(() => dialer.connect(address, port))),
      Effect.map((outgoing): Connected => ({ outgoing, decision }))
    )
  // A single address needs no staggered start.
  if (tail.length === 0) return yield* attempt(head)
  const { connectTimeout } = yield* NetworkSettings
  return yield* Deadline.within(
    HappyEyeballs.first([attempt(head), ...tail.map(attempt)], delay).pipe(Effect.mapError(mostTelling)),
    connectTimeout,
    Effect.fail(new ConnectTimeout())
  )
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
  Effect.map(Authorize.firstWithRoom(ipv4First(permitted), chargeRule), ([{ address }, charge]) => ({
    remote: NetAddress.inetAddressUnsafe(address, access.target.port),
    address,
    charge
  }))

const ipv4First = (permitted: Authorize.Authorized): Authorize.Authorized =>
  Arr.sort(
    permitted,
    Order.mapInput(Order.Boolean, ({ address }: Authorize.Permitted) => !NetAddress.isIpv4Address(address))
  )

export const route: Route = { connect, listen, datagrams }

/** RFC 8305 §5, Connection Attempt Delay. */
const delay = "250 millis"

/** The error to report for several addresses: a reached limit, or else the error from nearest to the target. */
const mostTelling = <E extends DialError | LimitError>(errors: Arr.NonEmptyReadonlyArray<E>): E =>
  errors.reduce((best, error) => (rank(error) < rank(best) ? error : best))

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
  "NetworkUnreachable",
  "ConnectTimeout"
]
