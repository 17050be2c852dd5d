/**
 * BIND through an upstream: its listener for one connection (RFC 1928 §4, §6).
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Deadline from "../base/Deadline.ts"
import { ConnectTimeout, type DialError, type LimitError, NotAllowed, RouteUnable } from "../Errors.ts"
import type { Outgoing } from "../network/Dialer.ts"
import { NetworkSettings } from "../network/Settings.ts"
import * as Authorize from "../policy/Authorize.ts"
import * as Chain from "./Chain.ts"
import type { Member } from "./Pool.ts"
import type { Incoming, JudgedTarget } from "./Route.ts"
import type { Bound } from "./upstreams/Kind.ts"
import { kinds } from "./upstreams/Kinds.ts"

/** Listens for a connection from the first address whose rule's limits allow it, or from any sender. */
export const listen = Effect.fnUntraced(function* (
  { hops, name }: Member,
  progress: Chain.Progress,
  to: JudgedTarget | NetAddress.IpAddress
): Effect.fn.Return<Incoming, DialError | LimitError, Chain.Services> {
  const { upstream } = hops[hops.length - 1]!
  const { bind } = kinds[upstream.kind]
  if (bind === undefined) return yield* new RouteUnable({ reason: `${name} carries no BIND` })
  const { bindTimeout } = yield* NetworkSettings
  const isAnyone = NetAddress.isIpAddress(to)
  const [permitted] = isAnyone ? [undefined] : yield* Authorize.firstWithRoom(to.permitted, to.chargeRule)
  const expected = isAnyone ? to : permitted!.address
  const target = { host: expected, port: isAnyone ? 0 : to.access.target.port }
  const credentials = upstream.credentials && Redacted.value(upstream.credentials)
  const { isPipelined } = upstream
  let bound: Bound | undefined
  const { conversation } = yield* Chain.converse(hops, progress, (conversation) =>
    Effect.map(bind(conversation, { target, credentials, isPipelined }), (listening) => {
      bound = listening
    })
  )
  const { at, accepted } = bound!
  const joined = Effect.flatMap(accepted, (remote): Effect.Effect<Outgoing, NotAllowed> => {
    if (!isAnyone && !Equal.equals(remote.address, expected)) {
      const other = NetAddress.formatIp(remote.address)
      return Effect.fail(new NotAllowed({ reason: `${other} connected instead of the target` }))
    }
    return Effect.succeed({ ...conversation.release(), local: at, remote })
  })
  return {
    listening: {
      bound: at,
      accepted: Deadline.within(joined, bindTimeout, Effect.fail(new ConnectTimeout()))
    },
    decision: permitted?.decision
  }
})
