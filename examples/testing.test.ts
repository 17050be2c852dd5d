import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Dialer, Errors, Reload } from "effect-socks"
import { layerServer, Network } from "effect-socks/testing"

/** A request of SOCKS5 for target.example:80, as bytes. */
const asking = [5, 1, 0, 5, 1, 0, 3, 14, ...new TextEncoder().encode("target.example"), 0, 80]

it.effect("relays to a target that the test plays", () =>
  Effect.gen(function* () {
    const { connect, target } = yield* Network
    yield* target("target.example:80", ({ send }) => send("hello"))
    const client = yield* connect()
    yield* client.send(asking)
    assert.strictEqual(
      Buffer.from(yield* client.rest)
        .toString("latin1")
        .slice(-5),
      "hello"
    )
  }).pipe(Effect.provide(layerServer()))
)

it.effect("reloads without a port", () =>
  Effect.gen(function* () {
    const { connect, target } = yield* Network
    yield* target("target.example:80", ({ ending }) => ending)
    yield* (yield* Reload)({ denyTarget: "target.example" })
    const client = yield* connect()
    yield* client.send(asking)
    assert.deepStrictEqual([...(yield* client.receive(4))], [5, 0, 5, 2])
  }).pipe(Effect.provide(layerServer()))
)

const DialerDown = Layer.succeed(Dialer, { connect: () => Effect.fail(new Errors.NetworkUnreachable()) })

it.effect("tells a client that there is no way", () =>
  Effect.gen(function* () {
    const { connect } = yield* Network
    const client = yield* connect()
    yield* client.send([5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 0, 80])
    assert.deepStrictEqual([...(yield* client.rest)], [5, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0])
  }).pipe(Effect.provide(Layer.provide(layerServer(), DialerDown)))
)
