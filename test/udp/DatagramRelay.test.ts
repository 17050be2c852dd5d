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
import { SessionLimitReached } from "../../src/Errors.ts"
import type { Flow } from "../../src/network/BandwidthScheduler.ts"
import { Resolver } from "../../src/network/Resolver.ts"
import type { Access } from "../../src/policy/Access.ts"
import { Policy } from "../../src/policy/Policy.ts"
import * as Config from "../../src/server/Config.ts"
import { DatagramRelay } from "../../src/udp/DatagramRelay.ts"
import type { ChargeRule } from "../../src/udp/RuleUses.ts"
import { connecting } from "../support/connecting.ts"
import { datagram } from "../support/messages.ts"
import { echo, open } from "../support/udp.ts"

const services = (values: Partial<Config.Values> = {}) =>
  Effect.provide(
    Layer.mergeAll(DatagramRelay.layer, Resolver.layerFixed({}), Policy.layerAnything).pipe(
      Layer.provide(Config.layer(values)),
      Layer.merge(connecting)
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

const associateBy = Effect.fnUntraced(function* (chargeRule: ChargeRule) {
  const { associate } = yield* DatagramRelay
  const traffic = { sent: 0, received: 0, datagrams: 0, dropped: 0 }
  const client = { access, owner: "client", address: NetAddress.ipv4Loopback, port: 0, traffic, chargeRule }
  return { ...(yield* associate(client, NetAddress.ipv4Loopback)), traffic }
})

const associate = associateBy(() => Effect.undefined)

/** Allows everything, by a rule with limits. */
const limiting = (limits = { sessions: 1 }): Policy["Service"] => ({
  judge: () => Effect.sync(() => ({ verdict: "allow", rule: "limited", limits: { ...limits } }))
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
  it.effect("takes its ports from the range, skips used ones, and gives them back", () =>
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
      assert.deepStrictEqual(traffic, { sent: 2, received: 1, datagrams: 3, dropped: 3 })
    }).pipe(services())
  )

  it.effect("drops datagrams from a target that a new policy denies", () => {
    const policy = { revision: 0, verdict: "allow" as "allow" | "deny" }
    const judging = Layer.succeed(Policy, {
      judge: () => Effect.sync(() => ({ verdict: policy.verdict, rule: "one" })),
      revision: () => policy.revision
    })
    return Effect.gen(function* () {
      const { bound, traffic } = yield* associate
      const [client, target] = [yield* open(), yield* open()]
      yield* client.send(datagram("127.0.0.1", target.port, [1]), bound.port)
      const outside = (yield* target.receive).from.port
      const lost = (count: number) =>
        Effect.promise(async () => {
          while (traffic.dropped < count) await new Promise((resume) => setImmediate(resume))
        })
      policy.verdict = "deny"
      policy.revision++
      yield* target.send([2], outside)
      yield* lost(1)
      policy.verdict = "allow"
      yield* target.send([3], outside)
      yield* lost(2)
      policy.revision++
      yield* target.send([4], outside)
      assert.strictEqual((yield* client.receive).bytes.at(-1), 4)
    }).pipe(Effect.provide(judging), services())
  })

  it.effect("leaves no descriptor open, however it was used", () =>
    Effect.gen(function* () {
      const [client, target] = [yield* open(), yield* echo()]
      const before = descriptors()
      for (let batch = 0; batch < 30; batch++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const all = yield* Effect.forEach(Array.from({ length: 100 }), () => associate)
            // The lock is on the first sender, so each of these is its client's.
            yield* client.send(datagram("127.0.0.1", target.port, [batch]), all[0]!.bound.port)
            assert.lengthOf((yield* client.receive).bytes, 11)
            assert.isAtLeast(descriptors(), before + 50)
          })
        )
        // The test runner has a few of its own.
        assert.isAtMost(descriptors(), before + 10)
      }
    }).pipe(services())
  )

  it.effect("makes only the datagrams to a name wait for the name, and only a few", () =>
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
      Effect.provide(
        Layer.mergeAll(
          DatagramRelay.layer.pipe(Layer.provide(Config.layer())),
          Policy.layerAnything,
          connecting
        )
      ),
      Effect.provideService(Resolver, { resolve: () => Effect.never })
    )
  )

  it.effect(
    "charges a rule with limits before its datagrams, and releases it after a while without one",
    () => {
      let entered = 0
      let held = 0
      let room = 1
      const chargeRule: ChargeRule = () =>
        Effect.gen(function* () {
          entered++
          if (held === room) return yield* new SessionLimitReached({ whose: "rule", limit: room })
          held++
          yield* Effect.addFinalizer(() => Effect.sync(() => held--))
          return undefined
        })
      return Effect.gen(function* () {
        const [client, target] = [yield* open(), yield* open()]
        const scope = yield* Scope.make()
        const { bound, traffic } = yield* Scope.provide(associateBy(chargeRule), scope)
        const send = (data: number) => client.send(datagram("127.0.0.1", target.port, [data]), bound.port)
        const dropped = (count: number) =>
          Effect.promise(async () => {
            while (traffic.dropped < count) await new Promise((resume) => setImmediate(resume))
          })
        yield* send(1)
        const outside = (yield* target.receive).from.port
        yield* TestClock.adjust("40 seconds")
        yield* target.send([2], outside)
        yield* client.receive
        yield* TestClock.adjust("40 seconds")
        assert.deepStrictEqual([entered, held], [1, 1])
        yield* TestClock.adjust("20 seconds")
        assert.deepStrictEqual([entered, held], [1, 0])
        // Given back, it lets nothing more in, nor out while it is full.
        yield* target.send([3], outside)
        yield* dropped(1)
        room = 0
        yield* send(4)
        yield* dropped(2)
        assert.deepStrictEqual([entered, held], [2, 0])
        room = 1
        yield* TestClock.adjust("5 seconds")
        yield* send(5)
        assert.deepStrictEqual((yield* target.receive).bytes, [5])
        assert.deepStrictEqual([entered, held], [3, 1])
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(held, 0)
      }).pipe(Effect.provideService(Policy, limiting()), services())
    }
  )

  it.effect("drops datagrams beyond the bandwidth of a rule, both ways", () => {
    const lane = (size: number): Flow => {
      let left = size
      return {
        slice: 1,
        isWaiting: () => left <= 0,
        leave: () => {},
        pass: (bytes) => {
          left -= bytes
          return left > 0
        }
      }
    }
    const chargeRule: ChargeRule = () => Effect.sync(() => ({ upload: lane(2), download: lane(1) }))
    return Effect.gen(function* () {
      const { bound, traffic } = yield* associateBy(chargeRule)
      const [client, target] = [yield* open(), yield* open()]
      const send = (data: number) => client.send(datagram("127.0.0.1", target.port, [data]), bound.port)
      for (const data of [1, 2, 3]) yield* send(data)
      const outside = (yield* target.receive).from.port
      assert.deepStrictEqual((yield* target.receive).bytes, [2])
      for (const data of [4, 5]) yield* target.send([data], outside)
      assert.strictEqual((yield* client.receive).bytes.at(-1), 4)
      yield* Effect.promise(async () => {
        while (traffic.dropped < 2) await new Promise((resume) => setImmediate(resume))
      })
      assert.deepStrictEqual(traffic, { sent: 2, received: 1, datagrams: 3, dropped: 2 })
    }).pipe(Effect.provideService(Policy, limiting()), services())
  })

  it.effect("applies changed limits of the rule at once", () => {
    const entered: Array<number | undefined> = []
    let held = 0
    const chargeRule: ChargeRule = ({ limits }) =>
      Effect.gen(function* () {
        entered.push(limits?.sessions)
        held++
        yield* Effect.addFinalizer(() => Effect.sync(() => held--))
        return undefined
      })
    const rule = { sessions: 1 }
    return Effect.gen(function* () {
      const { bound } = yield* associateBy(chargeRule)
      const [client, target] = [yield* open(), yield* open()]
      const sent = Effect.gen(function* () {
        yield* client.send(datagram("127.0.0.1", target.port, [1]), bound.port)
        yield* target.receive
        // So that it is asked again, and the rule stays in use.
        yield* TestClock.adjust("59 seconds")
        yield* client.send(datagram("127.0.0.1", target.port, [2]), bound.port)
        yield* target.receive
        yield* TestClock.adjust("1 second")
      })
      yield* sent
      yield* sent
      assert.deepStrictEqual([entered, held], [[1], 1])
      rule.sessions = 2
      yield* sent
      assert.deepStrictEqual([entered, held], [[1, 2], 1])
    }).pipe(Effect.provideService(Policy, limiting(rule)), services())
  })

  it.effect(
    "sends the datagrams that waited for a name in order, and resolves it again after a minute",
    () => {
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
        Effect.provide(
          Layer.mergeAll(
            DatagramRelay.layer.pipe(Layer.provide(Config.layer())),
            Policy.layerAnything,
            connecting
          )
        ),
        Effect.provideService(Resolver, { resolve })
      )
    }
  )
})
