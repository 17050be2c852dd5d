/**
 * The route without anything between: sockets of this machine, to the judged
 * addresses themselves.
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
import type { Connected, DatagramPath, Incoming, JudgedTarget, Route } from "./Route.ts"

/**
 * Connects to the first of the addresses that answers, with a staggered start
 * for each and one deadline for all of them. The rule of an address is charged
 * before that address is tried; where its limits are reached, the address is not
 * tried. What the others than the winner were charged goes back at once.
 */
const connect = Effect.fnUntraced(function* ({
  access: {
    target: { port }
  },
  permitted: [head, ...tail],
  enter
}: JudgedTarget): Effect.fn.Return<
  Connected,
  DialError | LimitError,
  NetworkSettings | Dialer | Scope.Scope
> {
  const dialer = yield* Dialer
  const attempt = ({ address, decision }: Authorize.Permitted) =>
    enter(decision).pipe(
      Effect.andThen(Effect.suspend(() => dialer.connect(address, port))),
      Effect.map((outgoing): Connected => ({ outgoing, decision }))
    )
  // Nothing to choose from, and so nothing to take turns.
  if (tail.length === 0) return yield* attempt(head)
  const { connectTimeout } = yield* NetworkSettings
  return yield* Deadline.within(
    HappyEyeballs.first([attempt(head), ...tail.map(attempt)], delay).pipe(Effect.mapError(mostTelling)),
    connectTimeout,
    Effect.fail(new ConnectTimeout())
  )
})

/** Listens for the first of the addresses whose rule has room. */
const listen = Effect.fnUntraced(function* (
  to: JudgedTarget | NetAddress.IpAddress,
  local: NetAddress.IpAddress
): Effect.fn.Return<Incoming, DialError | LimitError, Binder | Scope.Scope> {
  const binder = yield* Binder
  if (NetAddress.isIpAddress(to)) {
    return { listening: yield* binder.listen(to, local), decision: undefined }
  }
  const [{ address, decision }] = yield* Authorize.firstToEnter(to.permitted, to.enter)
  return { listening: yield* binder.listen(address, local), decision }
})

/**
 * To the first of the addresses whose rule has room, IPv4 before IPv6: nothing
 * tells of a datagram that there was no route for it, so it has to be the likelier
 * one.
 */
const datagrams = <Entered>({
  access,
  permitted,
  enter
}: JudgedTarget<Entered, never>): Effect.Effect<DatagramPath<Entered>, LimitError> =>
  Effect.map(Authorize.firstToEnter(likelierFirst(permitted), enter), ([{ address }, entered]) => ({
    remote: NetAddress.inetAddressUnsafe(address, access.target.port),
    address,
    entered
  }))

const likelierFirst = (permitted: Authorize.Authorized): Authorize.Authorized =>
  Arr.sort(
    permitted,
    Order.mapInput(Order.Boolean, ({ address }: Authorize.Permitted) => !NetAddress.isIpv4Address(address))
  )

/** Sockets of this machine, straight to the target's addresses. */
export const route: Route = { connect, listen, datagrams }

/** RFC 8305 §5, Connection Attempt Delay. */
const delay = "250 millis"

/** Of the errors of several addresses, a limit that was reached, or else the one from nearest the target. */
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
