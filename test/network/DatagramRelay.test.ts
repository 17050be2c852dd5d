/**
 * Ports, time and descriptors of associations, on loopback and by the test's clock.
 */
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { readdirSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Config, type Values } from "../../src/config/Config.ts"
import { DatagramRelay } from "../../src/network/DatagramRelay.ts"
import { Resolver } from "../../src/network/Resolver.ts"
import type { Access } from "../../src/policy/Access.ts"
import { Policy } from "../../src/policy/Policy.ts"
import { datagram } from "../support/messages.ts"
import { settled } from "../support/streams.ts"
import { echo, open } from "../support/udp.ts"

const services = (values: Partial<Values> = {}) =>
  Effect.provide(
    Layer.mergeAll(DatagramRelay.layer, Resolver.fixed({}), Policy.anything).pipe(
      Layer.provide(Config.layer(values))
    )
  )

const access: Access = {
  identity: { user: undefined },
  client: NetAddress.ipv4Loopback,
  listener: "127.0.0.1:1080",
  protocol: "SOCKS5",
  command: "ASSOCIATE",
  target: undefined
}

const associate = Effect.gen(function* () {
  const { associate } = yield* DatagramRelay
  const traffic = { sent: 0, received: 0, dropped: 0 }
  const client = { access, address: NetAddress.ipv4Loopback, port: 0, traffic }
  return { ...(yield* associate(client, NetAddress.ipv4Loopback)), traffic }
})

const descriptors = () => readdirSync("/proc/self/fd").length

/** A range with one free port in it, and one taken by another program. */
const range = Effect.gen(function* () {
  for (;;) {
    const first = 30_000 + Math.floor(Math.random() * 30_000)
    const other = createSocket("udp4").bind(first, "127.0.0.1")
    const free = createSocket("udp4").bind(first + 1, "127.0.0.1")
    const listening = Promise.all([once(other, "listening"), once(free, "listening")])
    const isBound = yield* Effect.promise(() => listening.then(Boolean, () => false))
    free.close()
    if (!isBound) continue
    yield* Effect.addFinalizer(() => Effect.sync(() => other.close()))
    return [first, first + 1] as const
  }
})

describe("DatagramRelay", () => {
  it.effect("takes its ports from the range, past those of others, and gives them back", () =>
    Effect.gen(function* () {
      const udpPorts = yield* range
      yield* Effect.gen(function* () {
        for (let i = 0; i < 5; i++) {
          const scope = yield* Scope.make()
          const { bound } = yield* Scope.provide(associate, scope)
          assert.strictEqual(bound.port, udpPorts[1])
          const error = yield* Effect.flip(associate)
          assert.strictEqual(error._tag, "OutOfResources")
          yield* Scope.close(scope, Exit.void)
        }
      }).pipe(services({ udpPorts }))
    })
  )

  it.effect("is idle when no datagram has passed for the timeout, in either direction", () =>
    Effect.gen(function* () {
      const { bound, idle, traffic } = yield* associate
      const ending = yield* Effect.forkScoped(idle)
      const [client, target, stranger] = [yield* open(), yield* open(), yield* open()]
      yield* client.send(datagram("127.0.0.1", target.port, [1]), bound.port)
      const outside = (yield* target.receive).from.port

      yield* TestClock.adjust("40 seconds")
      yield* target.send([2], outside)
      yield* client.receive
      yield* TestClock.adjust("40 seconds")
      yield* client.send(datagram("127.0.0.1", target.port, [3]), bound.port)
      yield* target.receive
      yield* TestClock.adjust("40 seconds")
      // What goes nowhere keeps nothing alive.
      yield* stranger.send([0, 0, 0], bound.port)
      yield* client.send([0, 0, 0], bound.port)
      yield* stranger.send([4], outside)
      yield* Effect.promise(async () => {
        while (traffic.dropped < 3) await new Promise((resume) => setImmediate(resume))
      })
      assert.isUndefined(ending.pollUnsafe())
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(ending)
      assert.deepStrictEqual(traffic, { sent: 2, received: 1, dropped: 3 })
    }).pipe(services())
  )

  it.effect("leaves no descriptor behind, whatever it did", () =>
    Effect.gen(function* () {
      const [client, target] = [yield* open(), yield* echo()]
      const before = descriptors()
      for (let batch = 0; batch < 100; batch++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const all = yield* Effect.forEach(Array.from({ length: 100 }), () => associate)
            // The lock is on the first sender, so each of these is its client's.
            yield* client.send(datagram("127.0.0.1", target.port, [batch]), all[0]!.bound.port)
            assert.lengthOf((yield* client.receive).bytes, 11)
            assert.isAtLeast(descriptors(), before + 101)
          })
        )
        // The test runner has a few of its own.
        assert.isAtMost(descriptors(), before + 10)
      }
    }).pipe(services())
  )

  it.effect("keeps no datagram waiting for a name but the name's own, and few of those", () =>
    Effect.gen(function* () {
      const { bound, traffic } = yield* associate
      const [client, target] = [yield* open(), yield* echo()]
      for (let i = 0; i < 100; i++) {
        yield* client.send(datagram(i % 2 ? "slow.example" : `${i}.example`, 53, [1]), bound.port)
      }
      yield* client.send(datagram("127.0.0.1", target.port, [2]), bound.port)
      assert.strictEqual((yield* client.receive).bytes.at(-1), 2)
      assert.strictEqual(traffic.dropped, 100 - 32)
    }).pipe(
      Effect.provide(Layer.merge(DatagramRelay.layer.pipe(Layer.provide(Config.layer())), Policy.anything)),
      Effect.provideService(Resolver, { resolve: () => Effect.never })
    )
  )

  it.effect("lets no datagram through a rule with limits, which it could not hold to them", () =>
    Effect.gen(function* () {
      const { bound, traffic } = yield* associate
      const [client, target] = [yield* open(), yield* echo()]
      yield* client.send(datagram("127.0.0.1", target.port, [1]), bound.port)
      while (traffic.dropped === 0) yield* settled
      assert.deepStrictEqual([traffic.dropped, traffic.sent], [1, 0])
    }).pipe(
      Effect.provideService(Policy, {
        judge: () => Effect.succeed({ verdict: "allow", rule: "limited", limits: { sessions: 1 } })
      }),
      services()
    )
  )

  it.effect("sends what waited for a name in its order, and asks again after a minute", () => {
    let asked = 0
    const resolve = () =>
      Effect.delay(
        Effect.sync(() => {
          asked++
          return [NetAddress.ipv6Loopback, NetAddress.ipv4Loopback] as const
        }),
        "1 second"
      )
    return Effect.gen(function* () {
      const { bound, traffic } = yield* associate
      const [client, target] = [yield* open(), yield* open()]
      const send = (data: number) => client.send(datagram("slow.example", target.port, [data]), bound.port)
      const seen = Effect.promise(async () => {
        const { dropped } = traffic
        client.socket.send(Uint8Array.of(0), bound.port, "127.0.0.1")
        while (traffic.dropped === dropped) await new Promise((resume) => setImmediate(resume))
      })
      for (const data of [1, 2, 3]) yield* send(data)
      yield* seen
      yield* TestClock.adjust("1 second")
      for (const data of [1, 2, 3]) assert.deepStrictEqual((yield* target.receive).bytes, [data])
      yield* send(4)
      assert.deepStrictEqual((yield* target.receive).bytes, [4])
      assert.strictEqual(asked, 1)
      yield* TestClock.adjust("1 minute")
      yield* send(5)
      yield* seen
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* target.receive).bytes, [5])
      assert.strictEqual(asked, 2)
    }).pipe(
      Effect.provide(Layer.merge(DatagramRelay.layer.pipe(Layer.provide(Config.layer())), Policy.anything)),
      Effect.provideService(Resolver, { resolve })
    )
  })
})
