/**
 * Clients from networks that are trusted, and those from elsewhere, in each
 * protocol.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import type { Identity } from "../../src/auth/Identity.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { connectWith, layer } from "../../src/testing/index.ts"
import { message, receive } from "../support/http.ts"
import { credentials, greeting, proxyV1, reply, request } from "../support/messages.ts"

const networks = ["203.0.113.0/24", "2001:db8::/32"].map(IpNetwork.fromStringUnsafe)
const user = [{ name: "alice", password: Redacted.make("secret") }]

const withUsers = layer({ config: { trust: networks, user } })
const without = layer({ config: { trust: networks } })

const inside = NetAddress.inetAddressFromStringUnsafe("203.0.113.7:50000")
const outside = NetAddress.inetAddressFromStringUnsafe("198.51.100.7:50000")
const path = NetAddress.unixPathAddress("/run/socks.sock")

const target = request("192.0.2.1", 80)
const granted = reply(0x00, [0x01, 198, 51, 100, 1, 0x04, 0x38])

/** What a client from there gets for this, as many bytes as told, and who it is taken for. */
const socks = Effect.fnUntraced(function* (
  remote: NetAddress.SocketAddress,
  sends: ReadonlyArray<number>,
  count: number
) {
  const client = yield* connectWith({ remote })
  yield* client.send(sends)
  const gets = [...(yield* client.receive(count))]
  return {
    gets,
    identity: (yield* (yield* SessionRegistry).list)[0]?.admitted?.identity as Identity | undefined
  }
})

const nobody = { user: undefined }
const alice = { user: "alice" }

describe("SOCKS5 from a trusted network", () => {
  for (const [where, services] of [
    ["there are users", withUsers],
    ["there are none", without]
  ] as const) {
    it.effect(`needs no password with ${where}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* socks(inside, [...greeting(0x00), ...target], 12), {
          gets: [0x05, 0x00, ...granted],
          identity: nobody
        })
      }).pipe(Effect.provide(services))
    )
  }

  it.effect("may give a password, which must be right", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* socks(inside, [...greeting(0x00, 0x02), ...credentials("alice", "secret"), ...target], 14),
        { gets: [0x05, 0x02, 0x01, 0x00, ...granted], identity: alice }
      )
      const wrong = yield* connectWith({ remote: inside })
      yield* wrong.send([...greeting(0x00, 0x02), ...credentials("alice", "guess"), ...target])
      assert.deepStrictEqual([...(yield* wrong.rest)], [0x05, 0x02, 0x01, 0x01])
    }).pipe(Effect.provide(withUsers))
  )

  it.effect("is the client in a PROXY header", () =>
    Effect.gen(function* () {
      const from = (address: string) => proxyV1(`PROXY TCP4 ${address} 198.51.100.1 50000 1080`)
      const sends = [...greeting(0x00), ...target]
      assert.deepStrictEqual((yield* socks(outside, [...from("203.0.113.9"), ...sends], 12)).gets, [
        ...[0x05, 0x00],
        ...granted
      ])
      const elsewhere = yield* connectWith({ remote: outside })
      yield* elsewhere.send([...from("192.0.2.9"), ...sends])
      assert.deepStrictEqual([...(yield* elsewhere.rest)], [0x05, 0xff])
    }).pipe(
      Effect.provide(
        layer({
          config: {
            trust: networks,
            proxyProtocolFrom: [IpNetwork.fromStringUnsafe("198.51.100.7/32")],
            privateTargets: "allow"
          }
        })
      )
    )
  )
})

describe("SOCKS5 from other networks", () => {
  for (const [where, services] of [
    ["there are users", withUsers],
    ["there are none", without]
  ] as const) {
    it.effect(`is refused without a password with ${where}`, () =>
      Effect.gen(function* () {
        for (const remote of [outside, path]) {
          const client = yield* connectWith({ remote })
          yield* client.send([...greeting(0x00), ...target])
          assert.deepStrictEqual([...(yield* client.rest)], [0x05, 0xff])
        }
      }).pipe(Effect.provide(services))
    )
  }

  it.effect("is accepted with a password", () =>
    Effect.gen(function* () {
      const sends = [...greeting(0x00, 0x02), ...credentials("alice", "secret"), ...target]
      assert.deepStrictEqual((yield* socks(outside, sends, 14)).identity, alice)
    }).pipe(Effect.provide(withUsers))
  )

  it.effect("is refused with any password if there are no users", () =>
    Effect.gen(function* () {
      const client = yield* connectWith({ remote: outside })
      yield* client.send([...greeting(0x00, 0x02), ...credentials("alice", "secret")])
      assert.deepStrictEqual([...(yield* client.rest)], [0x05, 0xff])
    }).pipe(Effect.provide(without))
  )
})

describe("SOCKS4", () => {
  const sends = [0x04, 0x01, 0, 80, 192, 0, 2, 1, ...Buffer.from("alice\0")]

  for (const services of [withUsers, without]) {
    it.effect("does not make the user id of a trusted client a user", () =>
      Effect.gen(function* () {
        const { gets, identity } = yield* socks(inside, sends, 2)
        assert.deepStrictEqual([gets, identity], [[0x00, 0x5a], nobody])
      }).pipe(Effect.provide(services))
    )

    it.effect("rejects clients from other networks", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual((yield* socks(outside, sends, 2)).gets, [0x00, 0x5b])
      }).pipe(Effect.provide(services))
    )
  }
})

describe("HTTP", () => {
  const get = (remote: NetAddress.SocketAddress, ...fields: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const client = yield* connectWith({ remote })
      yield* client.send(
        message(["CONNECT target.example:443 HTTP/1.1", "Host: target.example:443", ...fields])
      )
      const { status } = yield* receive(client)
      return [
        status,
        (yield* (yield* SessionRegistry).list).at(-1)?.admitted?.identity as Identity | undefined
      ]
    })
  const basic = (text: string) => `Proxy-Authorization: Basic ${btoa(text)}`

  it.effect("accepts a trusted client, as the user of its credentials", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* get(inside), [200, nobody])
      assert.deepStrictEqual(yield* get(inside, basic("alice:secret")), [200, alice])
      assert.deepStrictEqual((yield* get(inside, basic("alice:guess")))[0], 407)
      assert.deepStrictEqual((yield* get(outside))[0], 407)
      assert.deepStrictEqual(yield* get(outside, basic("alice:secret")), [200, alice])
    }).pipe(Effect.provide(withUsers))
  )

  it.effect("asks for no password if there are no users", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* get(inside, basic("alice:secret")), [200, nobody])
      assert.deepStrictEqual((yield* get(outside))[0], 403)
      assert.deepStrictEqual((yield* get(outside, basic("alice:secret")))[0], 403)
    }).pipe(Effect.provide(without))
  )
})
