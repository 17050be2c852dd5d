/**
 * What associations take from the descriptors there are.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import { vi } from "vitest"
import { Config } from "../../src/config/Config.ts"
import type { Connection } from "../../src/phases/Dialect.ts"
import { Sessions } from "../../src/server/Sessions.ts"
import { serverAddress } from "../../src/testing/index.ts"
import { unspecified } from "../../src/wire/Target.ts"

/** Room for four associations, or eight connections to targets. */
vi.mock("../../src/server/Descriptors.ts", () => ({ budget: Effect.succeed(16) }))

let hosts = 0

const admit = Effect.fnUntraced(function* (command: Connection["command"], user?: string) {
  const sessions = yield* Sessions
  const scope = yield* Scope.make()
  const address = NetAddress.ipFromStringUnsafe(`203.0.113.${++hosts}`)
  const remote = NetAddress.inetAddressUnsafe(address, 50_000)
  const session = yield* Scope.provide(sessions.open({ remote, local: serverAddress }), scope)
  session.request = { command, target: unspecified }
  session.identity = { user }
  yield* Effect.onError(sessions.admit(session), () => Scope.close(scope, Exit.void))
  return { end: Scope.close(scope, Exit.void) }
})

it.effect("an association counts as its connection and three sockets, and gives them back", () =>
  Effect.gen(function* () {
    const associations = yield* Effect.forEach([1, 2, 3], () => admit("ASSOCIATE"))
    yield* admit("CONNECT")
    assert.strictEqual((yield* Effect.flip(admit("ASSOCIATE")))._tag, "TooManySessions")
    yield* admit("CONNECT")
    assert.strictEqual((yield* Effect.flip(admit("CONNECT")))._tag, "TooManyHandshakes")
    yield* associations[0]!.end
    yield* admit("ASSOCIATE")
    assert.strictEqual((yield* Effect.flip(admit("CONNECT")))._tag, "TooManyHandshakes")
  }).pipe(Effect.provide(Layer.provide(Sessions.layer, Config.layer())))
)

it.effect("a user has so many associations at once, whatever addresses they come from", () =>
  Effect.gen(function* () {
    const first = yield* admit("ASSOCIATE", "alice")
    assert.strictEqual((yield* Effect.flip(admit("ASSOCIATE", "alice")))._tag, "TooManySessions")
    yield* admit("CONNECT", "alice")
    yield* admit("ASSOCIATE", "bob")
    yield* admit("ASSOCIATE")
    yield* first.end
    yield* admit("ASSOCIATE", "alice")
  }).pipe(Effect.provide(Layer.provide(Sessions.layer, Config.layer({ udpAssociations: 1 }))))
)
