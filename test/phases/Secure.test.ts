/**
 * TLS before any protocol, on connections in memory.
 */
import { type ConnectionOptions, connect as connectTls } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { reset } from "../../src/network/Duplexes.ts"
import * as Tls from "../../src/network/Tls.ts"
import { Authenticator } from "../../src/policy/Authenticator.ts"
import { Sessions } from "../../src/server/Sessions.ts"
import { connectWith, layer, pair, peer } from "../../src/testing/index.ts"
import { certificate, directory } from "../support/certificates.ts"
import { greeting, proxyV1, reply, request } from "../support/messages.ts"

const conversation = [...greeting(0x00), ...request("192.0.2.1", 80)]
const answer = [0x05, 0x00, ...reply(0x00, [0x01, 198, 51, 100, 1, 0x04, 0x38])]

const certificates = Effect.map(directory, (path) => {
  const ca = certificate(path, "ca", "/CN=an authority")
  return {
    server: certificate(path, "server", "/CN=localhost"),
    ca,
    alice: certificate(path, "alice", "/O=Example/CN=alice", ca),
    unnamed: certificate(path, "unnamed", "/O=Example", ca),
    stranger: certificate(path, "stranger", "/CN=alice")
  }
})

/** A client in memory, before its handshake; what it sends first is sent in the clear. */
const dial = Effect.fnUntraced(function* (
  secure: Tls.Secure,
  options: ConnectionOptions = {},
  clear: ReadonlyArray<number> = []
) {
  const { duplex } = yield* connectWith({ secure })
  duplex.removeAllListeners("data")
  if (clear.length > 0) duplex.write(Uint8Array.from(clear))
  const socket = connectTls({ socket: duplex, rejectUnauthorized: false, ...options })
  yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
  return peer(socket)
})

const user = Effect.gen(function* () {
  const { list } = yield* Sessions
  return (yield* list)[0]?.identity?.user
})

const asksPassword = layer({
  authenticator: Authenticator.users([{ name: "bob", password: Redacted.make("secret") }])
})

describe("a TLS listener", () => {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    it.effect(`serves SOCKS over ${version}, and passes on that a side has finished`, () =>
      Effect.gen(function* () {
        const { server } = yield* certificates
        const client = yield* dial(Tls.make({ ...server, clientCa: undefined }), {
          minVersion: version,
          maxVersion: version
        })
        yield* client.send(conversation)
        assert.deepStrictEqual([...(yield* client.receive(12))], answer)
        assert.isUndefined(yield* user)
        yield* client.send("hello")
        yield* client.end
        assert.strictEqual(new TextDecoder().decode(yield* client.rest), "hello")
        assert.strictEqual(yield* client.ending, "end")
      }).pipe(Effect.provide(layer()))
    )
  }

  it.effect("speaks no TLS 1.1", () =>
    Effect.gen(function* () {
      const { server } = yield* certificates
      const client = yield* dial(Tls.make({ ...server, clientCa: undefined }), {
        minVersion: "TLSv1.1",
        maxVersion: "TLSv1.1",
        ciphers: "DEFAULT@SECLEVEL=0"
      })
      assert.deepStrictEqual([...(yield* client.rest)], [])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("takes a PROXY header before the handshake, in one piece with it", () =>
    Effect.gen(function* () {
      const { server } = yield* certificates
      const header = proxyV1("PROXY TCP4 192.0.2.77 198.51.100.1 50000 1080")
      const client = yield* dial(Tls.make({ ...server, clientCa: undefined }), {}, header)
      yield* client.send(conversation)
      assert.deepStrictEqual([...(yield* client.receive(12))], answer)
    }).pipe(
      Effect.provide(
        layer({
          config: {
            privateTargets: "allow",
            proxyProtocolFrom: [IpNetwork.fromStringUnsafe("203.0.113.7/32")]
          }
        })
      )
    )
  )

  it.effect("closes at once on a client without TLS", () =>
    Effect.gen(function* () {
      const { server } = yield* certificates
      const client = yield* connectWith({ secure: Tls.make({ ...server, clientCa: undefined }) })
      yield* client.send(conversation)
      assert.deepStrictEqual([...(yield* client.rest)], [])
      assert.strictEqual(yield* client.ending, "end")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("counts the handshake under its deadline", () =>
    Effect.gen(function* () {
      const { server } = yield* certificates
      const client = yield* connectWith({ secure: Tls.make({ ...server, clientCa: undefined }) })
      yield* client.send([0x16, 0x03, 0x01])
      yield* Effect.yieldNow
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([...(yield* client.rest)], [])
    }).pipe(Effect.provide(layer()))
  )
})

describe("a TLS listener with an authority for clients", () => {
  const admitting = ["alice", "unnamed"] as const
  const names = { alice: "alice", unnamed: "O=Example" }
  for (const who of admitting) {
    it.effect(`knows ${names[who]} by the certificate, and asks no password`, () =>
      Effect.gen(function* () {
        const { server, ca, [who]: own } = yield* certificates
        const secure = Tls.make({ ...server, clientCa: ca.cert })
        const client = yield* dial(secure, { cert: own.cert, key: own.key })
        yield* client.send([...greeting(0x00, 0x02), ...request("192.0.2.1", 80)])
        assert.deepStrictEqual([...(yield* client.receive(12))], answer)
        assert.strictEqual(yield* user, names[who])
      }).pipe(Effect.provide(asksPassword))
    )
  }

  it.effect("knows what else there is to know of a user of that name", () =>
    Effect.gen(function* () {
      const { server, ca, alice } = yield* certificates
      const client = yield* dial(Tls.make({ ...server, clientCa: ca.cert }), {
        cert: alice.cert,
        key: alice.key
      })
      yield* client.send(conversation)
      yield* client.receive(12)
      const [session] = yield* (yield* Sessions).list
      assert.deepStrictEqual(session?.identity, { user: "alice", groups: ["staff"] })
    }).pipe(
      Effect.provide(
        layer({
          authenticator: Authenticator.users([
            { name: "alice", password: Redacted.make("secret"), groups: ["staff"] }
          ])
        })
      )
    )
  )

  it.effect("knows a client of SOCKS4 by the certificate, not by the user id", () =>
    Effect.gen(function* () {
      const { server, ca, alice } = yield* certificates
      const client = yield* dial(Tls.make({ ...server, clientCa: ca.cert }), {
        cert: alice.cert,
        key: alice.key
      })
      yield* client.send([0x04, 0x01, 0, 80, 192, 0, 2, 1, 0x65, 0x76, 0x65, 0x00])
      assert.deepStrictEqual([...(yield* client.receive(2))], [0x00, 0x5a])
      assert.strictEqual(yield* user, "alice")
    }).pipe(Effect.provide(asksPassword))
  )

  it.effect("turns away a certificate of the same name from elsewhere", () =>
    Effect.gen(function* () {
      const { server, ca, stranger } = yield* certificates
      const client = yield* dial(Tls.make({ ...server, clientCa: ca.cert }), {
        cert: stranger.cert,
        key: stranger.key
      })
      yield* client.send(conversation)
      assert.deepStrictEqual([...(yield* client.rest)], [])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("turns away a client without a certificate", () =>
    Effect.gen(function* () {
      const { server, ca } = yield* certificates
      const client = yield* dial(Tls.make({ ...server, clientCa: ca.cert }))
      yield* client.send(conversation)
      assert.deepStrictEqual([...(yield* client.rest)], [])
    }).pipe(Effect.provide(layer()))
  )
})

describe("a connection under TLS", () => {
  it.effect("is reset with what it carries", () =>
    Effect.gen(function* () {
      const { server } = yield* certificates
      const [near, far] = pair()
      const client = connectTls({ socket: near, rejectUnauthorized: false })
      client.on("error", () => {})
      const secured = yield* Tls.make({ ...server, clientCa: undefined })(far)
      reset(secured.duplex)
      assert.isTrue(far.destroyed)
      assert.strictEqual(yield* peer(near).ending, "reset")
    })
  )
})
