/**
 * A connection to one of the addresses that a target may be reached at.
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Deadline from "../base/Deadline.ts"
import { Config } from "../config/Config.ts"
import { ConnectTimeout, type DialError, type LimitError } from "../Errors.ts"
import { Dialer, type Outgoing } from "../network/Dialer.ts"
import * as HappyEyeballs from "../network/HappyEyeballs.ts"
import type { Authorized, Permitted } from "../policy/Authorize.ts"
import type { Decision } from "../policy/Decision.ts"

/** A connection, and the decision about the address that it is to. */
export interface Dialled {
  readonly outgoing: Outgoing
  readonly decision: Decision
}

/**
 * Connects to the first of the addresses that answers, with a staggered start
 * for each and one deadline for all of them. `enter` takes from the limits of
 * an address's rule before that address is tried; where they are reached, it is
 * not tried. What the others than the winner took goes back at once.
 */
export const connect = Effect.fnUntraced(function* (
  [head, ...tail]: Authorized,
  port: number,
  enter: (decision: Decision) => Effect.Effect<void, LimitError, Scope.Scope>
): Effect.fn.Return<Dialled, DialError | LimitError, Config | Dialer | Scope.Scope> {
  const dialer = yield* Dialer
  const attempt = ({ address, decision }: Permitted) =>
    enter(decision).pipe(
      Effect.andThen(Effect.suspend(() => dialer.connect(address, port))),
      Effect.map((outgoing): Dialled => ({ outgoing, decision }))
    )
  // Nothing to choose from, and so nothing to take turns.
  if (tail.length === 0) return yield* attempt(head)
  const { connectTimeout } = yield* Config
  return yield* Deadline.within(
    HappyEyeballs.first([attempt(head), ...tail.map(attempt)], delay).pipe(Effect.mapError(mostTelling)),
    connectTimeout,
    Effect.fail(new ConnectTimeout())
  )
})

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
