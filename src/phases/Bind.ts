/**
 * BIND: let the target connect to us, once, and pass that on as if the client had
 * been listening (RFC 1928 §4, §6).
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Config } from "../config/Config.ts"
import { type ClientGone, CommandNotSupported, type DialError, type ResolveError } from "../Errors.ts"
import { Binder } from "../network/Binder.ts"
import type { Ending, Relay } from "../network/Relay.ts"
import { addressesOf, type Resolver } from "../network/Resolver.ts"
import * as Connect from "./Connect.ts"
import { localAddress } from "./Dialect.ts"
import type { Order } from "./Order.ts"

/** Two replies: where the target has to connect to, and where it connected from. */
export const run = Effect.fnUntraced(function* (
  order: Order
): Effect.fn.Return<
  Ending,
  ClientGone | CommandNotSupported | ResolveError | DialError,
  Config | Binder | Resolver | Relay | Scope.Scope
> {
  const { client, request, known, succeeded } = order
  const { bind } = yield* Config
  if (!bind) return yield* new CommandNotSupported({ command: 0x02 })
  const binder = yield* Binder
  const incoming = Effect.gen(function* () {
    const [expected] = yield* addressesOf(request.target.host)
    const listening = yield* binder.listen(expected, localAddress(known.peer))
    yield* succeeded(listening.bound)
    return yield* listening.accepted
  })
  const target = yield* Effect.raceFirst(incoming, client.gone)
  return yield* Connect.join(order, target, target.remote)
})
