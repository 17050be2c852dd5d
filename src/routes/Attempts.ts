/**
 * Attempts to connect to the addresses of a host: with a staggered start (RFC 8305 §5), first to the address that has worked
 * before, and with the error from nearest to the target if all fail.
 */
import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as Deadline from "../base/Deadline.ts"
import { ConnectTimeout, type DialError, type LimitError } from "../Errors.ts"
import { AddressHistory } from "../network/AddressHistory.ts"
import * as HappyEyeballs from "../network/HappyEyeballs.ts"
import type { Late } from "../network/Resolver.ts"

/** An address, and what there is to know about it. */
interface Candidate {
  readonly address: NetAddress.IpAddress
}

/**
 * The result of the first attempt that succeeds. The addresses that the name server is late with are tried, too.
 * `within` is the time for all attempts together.
 */
export const first = <C extends Candidate, A>(
  host: string,
  candidates: Arr.NonEmptyReadonlyArray<C> & Late<C>,
  attempt: (candidate: C) => Effect.Effect<A, DialError | LimitError, Scope.Scope>,
  within: Duration.Duration
): Effect.Effect<A, DialError | LimitError, Scope.Scope> =>
  // A single address needs no staggered start.
  candidates.length === 1 && candidates.late === undefined
    ? attempt(candidates[0])
    : staggered(host, candidates, attempt, within)

const staggered = Effect.fnUntraced(function* <C extends Candidate, A>(
  host: string,
  candidates: Arr.NonEmptyReadonlyArray<C> & Late<C>,
  attempt: (candidate: C) => Effect.Effect<A, DialError | LimitError, Scope.Scope>,
  within: Duration.Duration
): Effect.fn.Return<A, DialError | LimitError, Scope.Scope> {
  const { late } = candidates
  const errors: Array<DialError | LimitError> = []
  const history = yield* AddressHistory
  const noted = (one: C) =>
    Effect.suspend(() => attempt(one)).pipe(
      Effect.tap(() => Effect.sync(() => history.record(host, candidates[0].address, one.address))),
      Effect.tapError((error) => Effect.sync(() => errors.push(error)))
    )
  const [head, ...tail] = Arr.map(preferring(candidates, history.find(host)), noted)
  return yield* Deadline.within(
    Effect.mapError(
      HappyEyeballs.first(
        [head, ...(late === undefined ? tail : [lateAttempt(late, noted), ...tail])],
        delay
      ),
      () => errors[0]!
    ),
    within,
    Effect.fail(new ConnectTimeout())
  ).pipe(Effect.mapError((error) => mostTelling(errors, error)))
})

/** Tries the addresses of a family that the name server is late with. They come second, as families alternate. */
const lateAttempt = <C, A>(
  late: NonNullable<Late<C>["late"]>,
  attempt: (candidate: C) => Effect.Effect<A, unknown, Scope.Scope>
): Effect.Effect<A, unknown, Scope.Scope> =>
  Effect.flatMap(
    late,
    (candidates): Effect.Effect<A, unknown, Scope.Scope> =>
      Arr.isReadonlyArrayNonEmpty(candidates)
        ? HappyEyeballs.first(Arr.map(candidates, attempt), delay)
        : Effect.fail("no more addresses")
  )

/**
 * The addresses in the order in which to try them: first the one that has worked before, or another of its family. Name
 * servers change the order of addresses, and a family that does not work fails with all its addresses.
 */
const preferring = <C extends Candidate>(
  candidates: Arr.NonEmptyReadonlyArray<C>,
  worked: NetAddress.IpAddress | undefined
): Arr.NonEmptyReadonlyArray<C> => {
  if (worked === undefined) return candidates
  const isIpv4 = NetAddress.isIpv4Address(worked)
  const head =
    candidates.find(({ address }) => Equal.equals(address, worked)) ??
    candidates.find(({ address }) => NetAddress.isIpv4Address(address) === isIpv4)
  return head === undefined ? candidates : [head, ...candidates.filter((other) => other !== head)]
}

/** RFC 8305 §5, Connection Attempt Delay. */
const delay = Duration.millis(250)

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
