/**
 * What associations take from the descriptors there are.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Descriptors from "../../src/limits/Descriptors.ts"
import type { Connection } from "../../src/session/States.ts"
import { replaceExport } from "../support/replaced.ts"
import { begin, layer } from "../support/sessions.ts"

/** Room for four associations, or eight connections to targets. */
replaceExport(Descriptors, "budget", Effect.succeed(16))

let hosts = 0

const admit = (command: Connection["command"], user?: string) =>
  begin({ host: `203.0.113.${++hosts}`, identity: { user }, command })

it.effect("an association counts as its connection and three sockets, and gives them back", () =>
  Effect.gen(function* () {
    const associations = yield* Effect.forEach([1, 2, 3], () => admit("ASSOCIATE"))
    yield* admit("CONNECT")
    assert.strictEqual((yield* Effect.flip(admit("ASSOCIATE")))._tag, "TooManySessions")
    yield* admit("CONNECT")
    assert.strictEqual((yield* Effect.flip(admit("CONNECT")))._tag, "TooManyHandshakes")
    yield* associations[0]!.close
    yield* admit("ASSOCIATE")
    assert.strictEqual((yield* Effect.flip(admit("CONNECT")))._tag, "TooManyHandshakes")
  }).pipe(Effect.provide(layer()))
)

it.effect("a user has so many associations at once, whatever addresses they come from", () =>
  Effect.gen(function* () {
    const first = yield* admit("ASSOCIATE", "alice")
    assert.strictEqual((yield* Effect.flip(admit("ASSOCIATE", "alice")))._tag, "SessionLimitReached")
    yield* admit("CONNECT", "alice")
    yield* admit("ASSOCIATE", "bob")
    yield* admit("ASSOCIATE")
    yield* first.close
    yield* admit("ASSOCIATE", "alice")
  }).pipe(Effect.provide(layer({ udpAssociations: 1 })))
)

it.effect("associations leave a quarter of the descriptors to connections", () =>
  Effect.gen(function* () {
    yield* Effect.forEach([1, 2, 3], () => admit("ASSOCIATE"))
    assert.strictEqual((yield* Effect.flip(admit("ASSOCIATE")))._tag, "TooManySessions")
    yield* Effect.forEach([1, 2], () => admit("CONNECT"))
  }).pipe(Effect.provide(layer()))
)
