/**
 * BIND: let the target connect to us, once, and pass that on as if the client had
 * been listening (RFC 1928 §4, §6).
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { Config } from "../config/Config.ts"
import { type ClientGone, CommandNotSupported, type DialError, type ResolveError } from "../Errors.ts"
import { Binder } from "../network/Binder.ts"
import { type Ending, Relay } from "../network/Relay.ts"
import { Resolver } from "../network/Resolver.ts"
import { localAddress } from "./Dialect.ts"
import type { Order } from "./Order.ts"

/** Two replies: where the target has to connect to, and where it connected from. */
export const run = Effect.fnUntraced(function* ({
  client,
  request,
  known,
  succeeded
}: Order): Effect.fn.Return<
  Ending,
  ClientGone | CommandNotSupported | ResolveError | DialError,
  Config | Binder | Resolver | Relay | Scope.Scope
> {
  const { bind } = yield* Config
  if (!bind) return yield* new CommandNotSupported({ command: 0x02 })
  const binder = yield* Binder
  const resolver = yield* Resolver
  const relay = yield* Relay
  const { host } = request.target
  const incoming = Effect.gen(function* () {
    const [expected] = NetAddress.isIpAddress(host) ? [host] : yield* resolver.resolve(host)
    const listening = yield* binder.listen(expected, localAddress(known.peer))
    yield* succeeded(listening.bound)
    return yield* listening.accepted
  })
  const target = yield* Effect.raceFirst(incoming, client.gone)
  known.address = target.remote
  yield* succeeded(target.remote)
  const { duplex, early } = client.detach()
  return yield* relay.run({ client: duplex, target: target.duplex, early, traffic: known.traffic })
})
