/**
 * BIND: two replies, one connection, and only the expected one (RFC 1928 §4, §6).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import { ConnectTimeout, type DialError, NotAllowed, OutOfResources } from "../../src/Errors.ts"
import { Binder } from "../../src/network/Binder.ts"
import type { Outgoing } from "../../src/network/Dialer.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import { connect, layer, type Peer, pair, peer, targetAddress } from "../../src/testing/index.ts"
import { greeting, reply, request } from "../support/messages.ts"

const bound = NetAddress.inetAddressFromStringUnsafe("198.51.100.9:4021")
const firstReply = reply(0, [0x01, 198, 51, 100, 9, 0x0f, 0xb5])
const secondReply = reply(0, [0x01, 192, 0, 2, 1, 0, 80])
const bind = [...greeting(0x00), ...request("192.0.2.1", 0, 0x02)]

/** A listener whose target connects, or does not, when the test says so. */
const scripted = Effect.gen(function* () {
  const arrival = yield* Deferred.make<Outgoing, DialError>()
  const [near, far] = pair()
  const asked: Array<string> = []
  let isReleased = false
  const binder = Layer.succeed(Binder, {
    listen: (expected) =>
      Effect.gen(function* () {
        asked.push(NetAddress.formatIp(expected))
        yield* Effect.addFinalizer(() => Effect.sync(() => (isReleased = true)))
        return { bound, accepted: Deferred.await(arrival) }
      })
  })
  return {
    asked,
    target: peer(far),
    services: layer({ config: { bind: true }, binder }),
    arrives: Deferred.succeed(arrival, {
      transport: NodeTransport.make(near),
      local: bound,
      remote: targetAddress
    }),
    fails: (error: DialError) => Deferred.fail(arrival, error),
    isReleased: () => isReleased
  }
})

const received = (client: Peer, count: number) => Effect.map(client.receive(count), (bytes) => [...bytes])

describe("Bind", () => {
  it.effect("replies with the bound address, then with the target's, and then relays both ways", () =>
    Effect.gen(function* () {
      const { asked, target, services, arrives } = yield* scripted
      yield* Effect.gen(function* () {
        const client = yield* connect
        yield* client.send([...bind, ..."early".split("").map((c) => c.charCodeAt(0))])
        assert.deepStrictEqual(yield* received(client, 12), [5, 0, ...firstReply])
        assert.deepStrictEqual(asked, ["192.0.2.1"])
        yield* arrives
        assert.deepStrictEqual(yield* received(client, 10), secondReply)
        assert.strictEqual(new TextDecoder().decode(yield* target.receive(5)), "early")
        yield* target.send("hello")
        assert.strictEqual(new TextDecoder().decode(yield* client.receive(5)), "hello")
      }).pipe(Effect.provide(services))
    })
  )

  it.effect("does the same for SOCKS4", () =>
    Effect.gen(function* () {
      const { services, arrives } = yield* scripted
      yield* Effect.gen(function* () {
        const client = yield* connect
        yield* client.send([0x04, 0x02, 0, 80, 192, 0, 2, 1, 0])
        assert.deepStrictEqual(yield* received(client, 8), [0, 0x5a, 0x0f, 0xb5, 198, 51, 100, 9])
        yield* arrives
        assert.deepStrictEqual(yield* received(client, 8), [0, 0x5a, 0, 80, 192, 0, 2, 1])
      }).pipe(Effect.provide(services))
    })
  )

  for (const [error, code] of [
    [new NotAllowed({ reason: "someone else" }), 0x02],
    [new ConnectTimeout(), 0x06],
    [new OutOfResources({ code: "EMFILE" }), 0x01]
  ] as const) {
    it.effect(`answers ${error._tag} after the first reply with ${code} as the second`, () =>
      Effect.gen(function* () {
        const { services, fails } = yield* scripted
        yield* Effect.gen(function* () {
          const client = yield* connect
          yield* client.send(bind)
          yield* client.receive(12)
          yield* fails(error)
          assert.deepStrictEqual([...(yield* client.rest)], reply(code))
        }).pipe(Effect.provide(services))
      })
    )
  }

  it.effect("stops listening when the client leaves", () =>
    Effect.gen(function* () {
      const { services, isReleased } = yield* scripted
      yield* Effect.gen(function* () {
        const client = yield* connect
        yield* client.send(bind)
        yield* client.receive(12)
        assert.isFalse(isReleased())
        yield* client.end
        yield* client.ending
        assert.isTrue(isReleased())
      }).pipe(Effect.provide(services))
    })
  )

  it.effect("is not carried out unless enabled", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(bind)
      assert.deepStrictEqual([...(yield* client.rest)], [5, 0, ...reply(0x07)])
    }).pipe(Effect.provide(layer()))
  )
})
