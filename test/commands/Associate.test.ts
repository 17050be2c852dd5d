/**
 * What a client is told of its association, and how the two end each other; the
 * relay is the test's.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import { OutOfResources } from "../../src/Errors.ts"
import type * as Config from "../../src/server/Config.ts"
import { clientAddress, connect, layer, serverAddress } from "../../src/testing/index.ts"
import type { Client } from "../../src/udp/Association.ts"
import { DatagramRelay } from "../../src/udp/DatagramRelay.ts"
import { greeting, reply, request } from "../support/messages.ts"

/** What the relay was asked for, and whether it is still used. */
const relay = () => {
  const asked: Array<Client & { readonly local: NetAddress.IpAddress }> = []
  const idle = Deferred.makeUnsafe<void>()
  const closed = Deferred.makeUnsafe<void>()
  return {
    asked,
    idle,
    closed,
    layer: Layer.succeed(DatagramRelay, {
      associate: (client, local) =>
        Effect.gen(function* () {
          asked.push({ ...client, local })
          yield* Effect.addFinalizer(() => Deferred.succeed(closed, undefined))
          return { bound: NetAddress.inetAddressUnsafe(local, 40_000), idle: Deferred.await(idle) }
        })
    })
  }
}

const asking = Effect.fnUntraced(function* (host: string | ReadonlyArray<number> = "0.0.0.0", port = 0) {
  const client = yield* connect
  yield* client.send([...greeting(0x00), ...request(host, port, 0x03)])
  yield* client.receive(2)
  return client
})

const bound = [0x01, 198, 51, 100, 1, 0x9c, 0x40]

const services = ({ layer: datagramRelay }: ReturnType<typeof relay>, config: Partial<Config.Values> = {}) =>
  Effect.provide(layer({ datagramRelay, config }))

describe("Associate", () => {
  it.effect("binds the address that the client connected to, and replies with it", () => {
    const it = relay()
    return Effect.gen(function* () {
      const client = yield* asking()
      assert.deepStrictEqual([...(yield* client.receive(10))], reply(0x00, bound))
      assert.strictEqual(it.asked[0]!.local, serverAddress.address)
      assert.strictEqual(it.asked[0]!.address, clientAddress.address)
    }).pipe(services(it))
  })

  const own = [203, 0, 113, 7]
  const declarations = [
    ["zeros", "0.0.0.0", 0, 0],
    ["zeros of IPv6", new Array(16).fill(0), 0, 0],
    ["a port alone", "0.0.0.0", 4000, 0],
    ["the client's address", own, 0, 0],
    ["the client's address and a port", own, 4000, 4000],
    ["the same in IPv6 form", [...new Array(10).fill(0), 0xff, 0xff, ...own], 4000, 4000],
    ["an address behind NAT", "192.168.1.2", 4000, 0],
    ["a name", "client.example", 4000, 0],
    ["no name", "", 4000, 0],
    ["what is no name", "\0", 4000, 0]
  ] as const
  for (const [what, host, port, expected] of declarations) {
    it.effect(
      `expects of a client that declares ${what} ${expected === 0 ? "any port" : "that port"}`,
      () => {
        const it = relay()
        return Effect.gen(function* () {
          const client = yield* asking(host, port)
          assert.deepStrictEqual([...(yield* client.receive(10))], reply(0x00, bound))
          assert.strictEqual(it.asked[0]!.port, expected)
        }).pipe(services(it))
      }
    )
  }

  it.effect("replies with the advertised address", () => {
    const it = relay()
    return Effect.gen(function* () {
      const client = yield* asking()
      const expected = reply(0x00, [0x01, 192, 0, 2, 9, 0x9c, 0x40])
      assert.deepStrictEqual([...(yield* client.receive(10))], expected)
      assert.strictEqual(it.asked[0]!.local, serverAddress.address)
    }).pipe(services(it, { advertise: NetAddress.ipFromStringUnsafe("192.0.2.9") }))
  })

  it.effect("can require a declared port", () => {
    const it = relay()
    return Effect.gen(function* () {
      const undeclared = yield* asking()
      assert.deepStrictEqual([...(yield* undeclared.rest)], reply(0x02))
      assert.lengthOf(it.asked, 0)
      const declared = yield* asking(own, 4000)
      assert.deepStrictEqual([...(yield* declared.receive(10))], reply(0x00, bound))
    }).pipe(services(it, { udpStrict: true }))
  })

  it.effect("is not supported if UDP is off", () => {
    const it = relay()
    return Effect.gen(function* () {
      const client = yield* asking()
      assert.deepStrictEqual([...(yield* client.rest)], reply(0x07))
      assert.lengthOf(it.asked, 0)
    }).pipe(services(it, { udp: false }))
  })

  it.effect("fails with 01 without a free port", () =>
    Effect.gen(function* () {
      const client = yield* asking()
      assert.deepStrictEqual([...(yield* client.rest)], reply(0x01))
    }).pipe(
      Effect.provide(
        layer({
          datagramRelay: Layer.succeed(DatagramRelay, {
            associate: () => Effect.fail(new OutOfResources({ code: "EADDRINUSE" }))
          })
        })
      )
    )
  )

  it.effect("closes the connection, in order, when the association is idle", () => {
    const it = relay()
    return Effect.gen(function* () {
      const client = yield* asking()
      yield* client.receive(10)
      yield* Deferred.succeed(it.idle, undefined)
      assert.strictEqual(yield* client.ending, "end")
      yield* Deferred.await(it.closed)
    }).pipe(services(it))
  })

  for (const how of ["end", "reset"] as const) {
    it.effect(`ends with the ${how} of the connection, and not with bytes on it`, () => {
      const it = relay()
      return Effect.gen(function* () {
        const client = yield* asking()
        yield* client.send(new Uint8Array(200_000))
        yield* client.receive(10)
        for (let i = 0; i < 10; i++) yield* client.send(new Uint8Array(200_000))
        assert.isFalse(Deferred.isDoneUnsafe(it.closed))
        yield* client[how]
        yield* Deferred.await(it.closed)
        if (how === "end") assert.lengthOf(yield* client.rest, 0)
      }).pipe(services(it))
    })
  }

  it.effect("is not part of SOCKS4", () => {
    const it = relay()
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([0x04, 0x03, 0, 80, 192, 0, 2, 1, 0])
      assert.deepStrictEqual([...(yield* client.rest)], [0x00, 0x5b, 0, 0, 0, 0, 0, 0])
      assert.lengthOf(it.asked, 0)
    }).pipe(services(it))
  })

  it.effect("refuses CONNECT to port 0", () =>
    Effect.gen(function* () {
      const client = yield* connect
      yield* client.send([...greeting(0x00), ...request("192.0.2.1", 0)])
      assert.deepStrictEqual([...(yield* client.rest)], [0x05, 0x00, ...reply(0x01)])
    }).pipe(services(relay()))
  )
})
