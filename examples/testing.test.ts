import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Errors } from "effect-socks"
import { connect, failingDialer, layer } from "effect-socks/testing"

it.effect("tells a client that nothing listens there", () =>
  Effect.gen(function* () {
    const client = yield* connect
    yield* client.send([5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 0, 80])
    assert.deepStrictEqual([...(yield* client.rest)], [5, 0, 5, 5, 0, 1, 0, 0, 0, 0, 0, 0])
  }).pipe(Effect.provide(layer({ dialer: failingDialer(new Errors.ConnectionRefused()) })))
)
