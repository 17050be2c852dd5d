/**
 * Connections as `Sessions` sees them, with nobody at their ends.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Random from "effect/Random"
import type { Authenticated } from "../../src/auth/Authenticated.ts"
import type { Identity } from "../../src/auth/Authenticator.ts"
import { Quotas } from "../../src/limits/Quotas.ts"
import * as Config from "../../src/server/Config.ts"
import * as EventLog from "../../src/session/EventLog.ts"
import { Events } from "../../src/session/Events.ts"
import type { Session } from "../../src/session/Session.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import type { Admitted, Connection } from "../../src/session/States.ts"
import { serverAddress } from "../../src/testing/index.ts"
import { unspecified } from "../../src/wire/Target.ts"

/** Always draws this: with what is almost 1, nobody is dropped at random who need not be. */
export const lot = (value: number) =>
  Layer.succeed(Random.Random, { nextIntUnsafe: () => 0, nextDoubleUnsafe: () => value })

/** Under these settings, in memory. */
export const layer = (values: Partial<Config.Values> = {}) =>
  SessionRegistry.layer.pipe(
    Layer.provide([Layer.orDie(Quotas.layer), EventLog.layer]),
    Layer.provideMerge(Events.layer),
    Layer.provideMerge(Config.layer(values)),
    Layer.merge(lot(0.999_999))
  )

export const from = (host: string, port = 50_000) => ({
  remote: NetAddress.inetAddressUnsafe(NetAddress.ipFromStringUnsafe(host), port),
  local: serverAddress
})

/** A connection that stays until it is closed by hand. */
export const open = Effect.fnUntraced(function* (host: string) {
  const sessions = yield* SessionRegistry
  const session: Session = yield* sessions.open(from(host))
  return { session, close: sessions.close(session) }
})

/** What only a login makes in the server. */
export const identityOf = (identity: Identity): Authenticated => identity as Authenticated

export const admitted = (
  identity: Identity = { user: undefined },
  command: Connection["command"] = "CONNECT",
  target = unspecified
): Admitted => ({
  peer: from("203.0.113.1"),
  identity: identityOf(identity),
  protocol: "SOCKS5",
  request: { command, target }
})

export const admit = (session: Session, identity?: Identity, command?: Connection["command"]) =>
  Effect.flatMap(SessionRegistry, (sessions) =>
    sessions.admit(session, { ...admitted(identity, command), peer: session.peer })
  )

/** A session, of a user if there is one, that stays until it is closed by hand; gone at once if it is not let in. */
export const begin = Effect.fnUntraced(function* (options: {
  readonly host?: string
  readonly identity?: Identity
  readonly command?: Connection["command"]
}) {
  const { host = "203.0.113.1", identity, command } = options
  const { session, close } = yield* open(host)
  return { session: yield* Effect.onError(admit(session, identity, command), () => close), close }
})
