/**
 * Connections as `Sessions` sees them, with nobody at their ends.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Random from "effect/Random"
import type { Identity } from "../../src/auth/Authenticator.ts"
import { Config, type Values } from "../../src/config/Config.ts"
import { Quotas } from "../../src/limits/Quotas.ts"
import type { Connection } from "../../src/session/Protocol.ts"
import type { Session } from "../../src/session/Session.ts"
import { Sessions } from "../../src/session/Sessions.ts"
import { serverAddress } from "../../src/testing/index.ts"
import { unspecified } from "../../src/wire/Target.ts"

/** Always draws this: with what is almost 1, nobody is dropped at random who need not be. */
export const lot = (value: number) =>
  Layer.succeed(Random.Random, { nextIntUnsafe: () => 0, nextDoubleUnsafe: () => value })

/** Under these settings, in memory. */
export const layer = (values: Partial<Values> = {}) =>
  Sessions.layer.pipe(
    Layer.provide(Layer.orDie(Quotas.layer)),
    Layer.provideMerge(Config.layer(values)),
    Layer.merge(lot(0.999_999))
  )

export const from = (host: string, port = 50_000) => ({
  remote: NetAddress.inetAddressUnsafe(NetAddress.ipFromStringUnsafe(host), port),
  local: serverAddress
})

/** A connection that stays until it is closed by hand. */
export const open = Effect.fnUntraced(function* (host: string) {
  const sessions = yield* Sessions
  const session: Session = yield* sessions.open(from(host))
  return { session, close: sessions.close(session) }
})

export const admit = (session: Session) => Effect.flatMap(Sessions, (sessions) => sessions.admit(session))

/** A session, of a user if there is one, that stays until it is closed by hand; gone at once if it is not let in. */
export const begin = Effect.fnUntraced(function* (options: {
  readonly host?: string
  readonly identity?: Identity
  readonly command?: Connection["command"]
}) {
  const { host = "203.0.113.1", identity = { user: undefined }, command = "CONNECT" } = options
  const { session, close } = yield* open(host)
  session.identity = identity
  session.request = { command, target: unspecified }
  yield* Effect.onError(admit(session), () => close)
  return { session, close }
})
