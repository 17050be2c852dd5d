/**
 * How associations and their connections end, and what one does to the others,
 * over real sockets.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { datagram } from "../support/messages.ts"
import { proxy, server } from "../support/servers.ts"
import { type Associated, associate, echo, open } from "../support/udp.ts"

/** Whether another program could have that port: nobody else has it. */
const isFree = (port: number) =>
  Effect.scoped(open("127.0.0.1", port)).pipe(
    Effect.as(true),
    Effect.catchDefect(() => Effect.succeed(false))
  )

const until = (holds: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.flatMap(holds, (isSo) =>
    isSo ? Effect.void : Effect.andThen(Effect.sleep("5 millis"), until(holds))
  )

describe("an association's lifetime", () => {
  for (const how of ["end", "reset"] as const) {
    it.live(`ends with its connection's ${how}, and its port is free`, () =>
      Effect.gen(function* () {
        const { control, port } = yield* associate(yield* proxy())
        assert.isFalse(yield* isFree(port))
        yield* control.send("nobody reads this")
        yield* control[how]
        yield* until(isFree(port))
      }).pipe(Effect.provide(server()))
    )
  }

  it.live("ends when idle, and its connection with it, in order", () =>
    Effect.gen(function* () {
      const { control, port } = yield* associate(yield* proxy())
      assert.strictEqual(yield* control.ending, "end")
      assert.lengthOf(yield* control.rest, 0)
      yield* until(isFree(port))
    }).pipe(Effect.provide(server({ udpIdleTimeout: Duration.millis(100) })))
  )

  it.live("stays in the port range, up to its end, and replies with the advertised address", () =>
    Effect.gen(function* () {
      const at = yield* proxy()
      const { code, host, port } = yield* associate(at)
      assert.strictEqual(code, 0x00)
      assert.strictEqual(host, "192.0.2.9")
      assert.isTrue(port >= 42_310 && port <= 42_312)
      const others = yield* Effect.forEach([1, 2, 3, 4], () => associate(at))
      assert.strictEqual(others.at(-1)!.code, 0x01)
    }).pipe(
      Effect.provide(
        server({ udpPorts: [42_310, 42_312], advertise: NetAddress.ipFromStringUnsafe("192.0.2.9") })
      )
    )
  )
})

/** The answer to each of these. */
const asks = Effect.fnUntraced(function* ({ host, port }: Associated, count: number) {
  const [client, target] = [yield* open(), yield* echo()]
  for (let i = 0; i < count; i++) {
    yield* client.send(datagram("127.0.0.1", target.port, [i]), port, host)
    assert.strictEqual((yield* client.receive).bytes.at(-1), i)
  }
})

describe("an association under attack", () => {
  it.live("survives garbage, and harms no other association", () =>
    Effect.gen(function* () {
      const at = yield* proxy()
      const [flooded, other] = [yield* associate(at), yield* associate(at)]
      const attacker = yield* open()
      const garbage = [
        [],
        [0],
        [0, 0, 0],
        [0, 0, 0, 2, 1, 1, 1, 1, 0, 53],
        [0, 0, 0, 3, 0, 0, 53],
        [0, 0, 0, 3, 255, 97],
        datagram("127.0.0.1", 0, [1]),
        datagram("127.0.0.1", 9, [1], 1),
        datagram("a b", 53, [1]),
        datagram("255.255.255.255", 53, [1]),
        datagram([0xfe, 0x80, ...new Array(13).fill(0), 1], 53, [1]),
        // Nobody is there, which ICMP may tell.
        datagram("127.0.0.1", 1, [1]),
        Array.from({ length: 500 }, (_, i) => (i * 7919) & 0xff)
      ]
      const flood = Effect.gen(function* () {
        for (let i = 0; i < 2000; i++) {
          yield* attacker.send(garbage[i % garbage.length]!, flooded.port, flooded.host)
        }
      })
      yield* Effect.all([flood, asks(other, 100)], { concurrency: 2 })

      // And is none the worse for it.
      const target = yield* echo()
      yield* attacker.send(datagram("127.0.0.1", target.port, [1]), flooded.port, flooded.host)
      yield* attacker.receive
    }).pipe(Effect.provide(server()))
  )

  it.live("can send to more destinations than are remembered", () =>
    Effect.gen(function* () {
      const association = yield* associate(yield* proxy())
      const [client, target] = [yield* open(), yield* echo()]
      for (let i = 0; i < 5000; i++) {
        const message = datagram(`127.1.${i >> 8}.${i & 0xff}`, 9, [1])
        yield* client.send(message, association.port, association.host)
        // Not faster than they are passed on: what a full buffer drops proves nothing.
        if (i % 50 > 0) continue
        yield* client.send(datagram("127.0.0.1", target.port, [i & 0xff]), association.port, association.host)
        assert.strictEqual((yield* client.receive).bytes.at(-1), i & 0xff)
      }
    }).pipe(Effect.provide(server()))
  )
})
