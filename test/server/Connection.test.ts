/**
 * Whole conversations: however the bytes are cut, and whatever goes wrong behind
 * the protocol.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { Dialer } from "../../src/network/Dialer.ts"
import { Resolver } from "../../src/network/Resolver.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { connect, dialer, layer } from "../../src/testing/index.ts"
import { cut, hex, utf8 } from "../support/bytes.ts"
import { captured } from "../support/logs.ts"
import { credentials, greeting, reply, request } from "../support/messages.ts"
import { holds } from "../support/property.ts"
import { settled } from "../support/streams.ts"

const users = Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])

/** The address that the in-memory dialer connects from. */
const bound = [0x01, 198, 51, 100, 1, 0x04, 0x38]

const conversation = [
  ...greeting(0x00, 0x02),
  ...credentials("alice", "secret"),
  ...request("target.example", 80),
  ...utf8("payload")
]
const answers = hex([0x05, 0x02, 0x01, 0x00, ...reply(0x00, bound), ...utf8("payload")])

describe("Connection", () => {
  it.effect("takes everything in one piece, payload and end included", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(conversation)
      yield* client.end
      assert.strictEqual(hex(yield* client.rest), answers)
      assert.strictEqual(yield* client.ending, "end")
    }).pipe(Effect.provide(layer({ authenticator: users })))
  )

  it.effect("takes everything byte by byte", () =>
    Effect.gen(function* () {
      const client = yield* connect
      for (const byte of conversation) {
        yield* client.send([byte])
        yield* settled
      }
      yield* client.end
      assert.strictEqual(hex(yield* client.rest), answers)
    }).pipe(Effect.provide(layer({ authenticator: users })))
  )

  it.effect("takes everything in any pieces", () =>
    Effect.promise(() =>
      holds(
        fc.asyncProperty(cut(conversation), (pieces) =>
          Effect.gen(function* () {
            const client = yield* connect
            for (const piece of pieces) {
              yield* client.send(piece)
              yield* settled
            }
            yield* client.end
            assert.strictEqual(hex(yield* client.rest), answers)
          }).pipe(
            Effect.scoped,
            Effect.provide(Layer.merge(layer({ authenticator: users }), captured().layer)),
            Effect.runPromise
          )
        ),
        { numRuns: 40 }
      )
    )
  )

  it.effect("replies to each message when it is complete, and not before", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(greeting(0x02))
      assert.strictEqual(hex(yield* client.receive(2)), "05 02")
      yield* client.send(credentials("alice", "secret"))
      assert.strictEqual(hex(yield* client.receive(2)), "01 00")
      yield* client.send(request("192.0.2.1", 80))
      assert.deepStrictEqual([...(yield* client.receive(10))], reply(0x00, bound))
      yield* client.send("ping")
      assert.deepStrictEqual(yield* client.receive(4), utf8("ping"))
    }).pipe(Effect.provide(layer({ authenticator: users })))
  )

  it.effect("ignores bytes after a failed authentication", () => {
    const dialled: Array<string> = []
    const watching = dialer((_, address) => dialled.push(NetAddress.formatIp(address)))
    return Effect.gen(function* () {
      for (const proof of [credentials("alice", "guess"), [0x05, 0x01, 0x00], credentials("", "")]) {
        const client = yield* connect
        yield* client.send([
          ...greeting(0x00, 0x02),
          ...proof,
          ...credentials("alice", "secret"),
          ...request("192.0.2.1", 80)
        ])
        assert.strictEqual(hex(yield* client.rest), "05 02 01 01")
        assert.strictEqual(yield* client.ending, "end")
        yield* client.send([...credentials("alice", "secret"), ...request("192.0.2.1", 80)])
        yield* settled
      }
      assert.deepStrictEqual(dialled, [])
    }).pipe(Effect.provide(layer({ authenticator: users, dialer: watching })))
  })

  it.effect("ignores bytes after a refused method", () => {
    const dialled: Array<string> = []
    const watching = dialer((_, address) => dialled.push(NetAddress.formatIp(address)))
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([...greeting(0x00), ...request("192.0.2.1", 80)])
      assert.strictEqual(hex(yield* client.rest), "05 ff")
      assert.strictEqual(yield* client.ending, "end")
      assert.deepStrictEqual(dialled, [])
    }).pipe(Effect.provide(layer({ authenticator: users, dialer: watching })))
  })

  it.effect("ignores bytes after a refused request", () => {
    const dialled: Array<string> = []
    const watching = dialer((_, address) => dialled.push(NetAddress.formatIp(address)))
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([...greeting(0x00), ...request("127.1", 80), ...request("192.0.2.1", 80)])
      assert.deepStrictEqual([...(yield* client.rest)], [0x05, 0x00, ...reply(0x01)])
      assert.deepStrictEqual(dialled, [])
    }).pipe(Effect.provide(layer({ dialer: watching })))
  })

  it.effect("has one deadline for the handshake, which no byte extends", () =>
    Effect.gen(function* () {
      const client = yield* connect
      for (const byte of [...greeting(0x02), ...credentials("alice", "secret")].slice(0, 9)) {
        yield* client.send([byte])
        yield* settled
        yield* TestClock.adjust("1 seconds")
      }
      yield* settled
      assert.isTrue(client.duplex.writable && !client.duplex.readableEnded)
      yield* TestClock.adjust("999 millis")
      yield* settled
      assert.isFalse(client.duplex.readableEnded)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(hex(yield* client.rest), "05 02")
      assert.strictEqual(yield* client.ending, "end")
    }).pipe(Effect.provide(layer({ authenticator: users })))
  )

  it.effect("has no deadline after the request", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([...greeting(0x00), ...request("192.0.2.1", 80)])
      yield* client.receive(12)
      yield* TestClock.adjust("1 minutes")
      yield* client.send("ping")
      assert.deepStrictEqual(yield* client.receive(4), utf8("ping"))
    }).pipe(Effect.provide(layer()))
  )

  for (const [what, broken] of [
    ["dialer", Layer.succeed(Dialer, { connect: () => Effect.die(new Error("a bug")) })],
    [
      "dialer that throws",
      Layer.succeed(Dialer, {
        connect: () => {
          throw new Error("a bug")
        }
      })
    ]
  ] as const) {
    it.effect(`survives a defect in a ${what}, which ends only its session`, () => {
      const one = Layer.effect(
        Dialer,
        Effect.gen(function* () {
          const good = yield* Dialer
          const bad = Effect.provide(Dialer, broken)
          return {
            connect: (address, port) =>
              port === 666
                ? Effect.flatMap(bad, ({ connect }) => connect(address, port))
                : good.connect(address, port)
          }
        })
      ).pipe(Layer.provide(dialer(({ duplex }) => duplex.pipe(duplex))))
      return Effect.gen(function* () {
        const neighbour = yield* connect
        yield* neighbour.send([...greeting(0x00), ...request("192.0.2.1", 80)])
        yield* neighbour.receive(12)
        const victim = yield* connect
        yield* victim.send([...greeting(0x00), ...request("192.0.2.1", 666)])
        assert.deepStrictEqual([...(yield* victim.rest)], [0x05, 0x00, ...reply(0x01)])
        assert.strictEqual(yield* victim.ending, "end")
        yield* neighbour.send("ping")
        assert.deepStrictEqual(yield* neighbour.receive(4), utf8("ping"))
      }).pipe(Effect.provide(layer({ dialer: one })))
    })
  }

  it.effect("survives a defect in a resolver", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([...greeting(0x00), ...request("target.example", 80)])
      assert.deepStrictEqual([...(yield* client.rest)], [0x05, 0x00, ...reply(0x01)])
    }).pipe(
      Effect.provide(layer({ resolver: Layer.succeed(Resolver, { resolve: () => Effect.die("a bug") }) }))
    )
  )

  for (const how of ["end", "reset"] as const) {
    it.effect(`stops dialling when the client leaves by ${how}, and keeps no resource`, () => {
      const events: Array<string> = []
      const slow = Layer.succeed(Dialer, {
        connect: () =>
          Effect.acquireRelease(
            Effect.sync(() => events.push("dials")),
            () => Effect.sync(() => events.push("hangs up"))
          ).pipe(
            Effect.andThen(Effect.never),
            Effect.onInterrupt(() => Effect.sync(() => events.push("is interrupted")))
          )
      })
      return Effect.gen(function* () {
        const client = yield* connect
        yield* client.send([...greeting(0x00), ...request("192.0.2.1", 80)])
        yield* settled
        assert.deepStrictEqual(events, ["dials"])
        yield* client[how]
        yield* client.ending
        yield* settled
        assert.deepStrictEqual(events, ["dials", "is interrupted", "hangs up"])
        const { list } = yield* SessionRegistry
        assert.deepStrictEqual(yield* list, [])
      }).pipe(Effect.provide(layer({ dialer: slow })))
    })
  }

  it.effect("closes the target's connection when the session is over", () => {
    const targets: Array<string> = []
    const watching = dialer(({ duplex }) => {
      duplex.pipe(duplex)
      duplex.on("close", () => targets.push("closed"))
    })
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([...greeting(0x00), ...request("192.0.2.1", 80)])
      yield* client.end
      yield* client.rest
      yield* settled
      assert.deepStrictEqual(targets, ["closed"])
    }).pipe(Effect.provide(layer({ dialer: watching })))
  })
})
