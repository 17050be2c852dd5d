/**
 * TLS before any protocol, on connections in memory.
 */
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import * as Tls from "../../src/network/Tls.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { connectWith, layer, pair, peer } from "../../src/testing/index.ts"
import { certificate, revocationList } from "../support/certificates.ts"
import { captured } from "../support/logs.ts"
import { greeting, proxyV1, reply, request } from "../support/messages.ts"
import { settled } from "../support/streams.ts"
import { directory } from "../support/temporary.ts"

const conversation = [...greeting(0x00), ...request("192.0.2.1", 80)]
const answer = [0x05, 0x00, ...reply(0x00, [0x01, 198, 51, 100, 1, 0x04, 0x38])]

/** The subjects of certificates; those of the authority's own clients among them are made by it. */
const subjects = {
  alice: "/O=Example/CN=alice",
  unnamed: "/O=Example",
  multivalued: "/O=Example/OU=staff+CN=alice",
  comma: "/CN=Doe, Jane",
  accented: "/CN=Zoë=\\+O",
  several: "/CN=alice/CN=root",
  together: "/CN=alice+CN=root",
  broken: "/CN=alice\nCN=root",
  long: `/O=${"x".repeat(60)}${"/OU=y".repeat(80)}`
} as const

const certificates = Effect.map(directory, (path) => {
  const ca = certificate(path, "ca", "/CN=an authority")
  return {
    server: certificate(path, "server", "/CN=localhost"),
    ca,
    of: (who: keyof typeof subjects) => certificate(path, who, subjects[who], ca),
    stranger: () => certificate(path, "stranger", "/CN=alice")
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
  const { list } = yield* SessionRegistry
  return (yield* list)[0]?.admitted?.identity.user
})

const asksPassword = layer({
  authenticator: Authenticator.layerUsers([{ name: "bob", password: Redacted.make("secret") }])
})

describe("a TLS listener", () => {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    it.effect(`serves SOCKS over ${version}, and passes FIN on`, () =>
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

  it.effect("closes at once the connection of a client without TLS", () =>
    Effect.gen(function* () {
      const { server } = yield* certificates
      const client = yield* connectWith({ secure: Tls.make({ ...server, clientCa: undefined }) })
      yield* client.send(conversation)
      assert.deepStrictEqual([...(yield* client.rest)], [])
      assert.strictEqual(yield* client.ending, "end")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("has the deadline of the handshake", () =>
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

describe("a TLS listener with client certificates", () => {
  const admitting = ["alice", "unnamed", "multivalued", "comma", "accented"] as const
  const names = {
    alice: "alice",
    unnamed: "O=Example",
    multivalued: "alice",
    comma: "Doe, Jane",
    accented: "Zoë=+O"
  }
  for (const who of admitting) {
    it.effect(`takes the user ${names[who]} from the certificate, and needs no password`, () =>
      Effect.gen(function* () {
        const { server, ca, of } = yield* certificates
        const own = of(who)
        const secure = Tls.make({ ...server, clientCa: ca.cert })
        const client = yield* dial(secure, { cert: own.cert, key: own.key })
        yield* client.send([...greeting(0x00, 0x02), ...request("192.0.2.1", 80)])
        assert.deepStrictEqual([...(yield* client.receive(12))], answer)
        assert.strictEqual(yield* user, names[who])
      }).pipe(Effect.provide(asksPassword))
    )
  }

  for (const [who, reason] of [
    ["several", "several common names"],
    ["together", "several common names"],
    ["broken", "an unusable common name"],
    ["long", "an unusable subject"]
  ] as const) {
    it.effect(`refuses a certificate without a clear user: ${who}`, () => {
      const { lines, layer: log } = captured()
      return Effect.gen(function* () {
        const { server, ca, of } = yield* certificates
        const own = of(who)
        const client = yield* dial(Tls.make({ ...server, clientCa: ca.cert }), {
          cert: own.cert,
          key: own.key
        })
        yield* client.send(conversation)
        assert.deepStrictEqual([...(yield* client.rest)], [])
        yield* client.end
        yield* settled
        assert.deepInclude(lines.at(-1)?.fields, { outcome: "CertificateRefused", reason })
      }).pipe(Effect.provide(Layer.merge(layer(), log)))
    })
  }

  it.effect("has the groups and limits of a user of that name", () =>
    Effect.gen(function* () {
      const { server, ca, of } = yield* certificates
      const alice = of("alice")
      const client = yield* dial(Tls.make({ ...server, clientCa: ca.cert }), {
        cert: alice.cert,
        key: alice.key
      })
      yield* client.send(conversation)
      yield* client.receive(12)
      const [session] = yield* (yield* SessionRegistry).list
      assert.deepStrictEqual<unknown>(session?.admitted?.identity, { user: "alice", groups: ["staff"] })
    }).pipe(
      Effect.provide(
        layer({
          authenticator: Authenticator.layerUsers([
            { name: "alice", password: Redacted.make("secret"), groups: ["staff"] }
          ])
        })
      )
    )
  )

  it.effect("takes the user of a SOCKS4 client from the certificate, not from the user id", () =>
    Effect.gen(function* () {
      const { server, ca, of } = yield* certificates
      const alice = of("alice")
      const client = yield* dial(Tls.make({ ...server, clientCa: ca.cert }), {
        cert: alice.cert,
        key: alice.key
      })
      yield* client.send([0x04, 0x01, 0, 80, 192, 0, 2, 1, 0x65, 0x76, 0x65, 0x00])
      assert.deepStrictEqual([...(yield* client.receive(2))], [0x00, 0x5a])
      assert.strictEqual(yield* user, "alice")
    }).pipe(Effect.provide(asksPassword))
  )

  it.effect("refuses a certificate of the same name from another authority", () =>
    Effect.gen(function* () {
      const { server, ca, stranger } = yield* certificates
      const own = stranger()
      const client = yield* dial(Tls.make({ ...server, clientCa: ca.cert }), {
        cert: own.cert,
        key: own.key
      })
      yield* client.send(conversation)
      assert.deepStrictEqual([...(yield* client.rest)], [])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("refuses a client without a certificate", () =>
    Effect.gen(function* () {
      const { server, ca } = yield* certificates
      const client = yield* dial(Tls.make({ ...server, clientCa: ca.cert }))
      yield* client.send(conversation)
      assert.deepStrictEqual([...(yield* client.rest)], [])
    }).pipe(Effect.provide(layer()))
  )
})

/** Whether a connection goes on with the session of one before. */
const resumes = Effect.fnUntraced(function* (secure: Tls.Secure, options: ConnectionOptions) {
  const first = yield* dial(secure, options)
  let session: Buffer | undefined
  const socket = first.duplex as TLSSocket
  socket.on("session", (given) => {
    session = given
  })
  yield* first.send(conversation)
  yield* first.receive(12)
  session ??= socket.getSession()
  const second = yield* dial(secure, { ...options, ...(session && { session }) })
  yield* second.send(conversation)
  assert.deepStrictEqual([...(yield* second.receive(12))], answer)
  return (second.duplex as TLSSocket).isSessionReused()
})

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  const only = { minVersion: version, maxVersion: version }
  describe(`a session of ${version}`, () => {
    it.effect("is resumed without client certificates", () =>
      Effect.gen(function* () {
        const { server } = yield* certificates
        assert.isTrue(yield* resumes(Tls.make({ ...server, clientCa: undefined }), only))
      }).pipe(Effect.provide(layer()))
    )

    it.effect("is not resumed with client certificates, which are verified each time", () =>
      Effect.gen(function* () {
        const { server, ca, of } = yield* certificates
        const alice = of("alice")
        const secure = Tls.make({ ...server, clientCa: ca.cert })
        assert.isFalse(yield* resumes(secure, { ...only, cert: alice.cert, key: alice.key }))
      }).pipe(Effect.provide(layer()))
    )
  })
}

describe("a TLS listener with a revocation list", () => {
  const listed = Effect.map(directory, (path) => {
    const ca = certificate(path, "ca", "/CN=an authority")
    const other = certificate(path, "other", "/CN=another authority")
    const [alice, bob] = [
      certificate(path, "alice", "/CN=alice", ca),
      certificate(path, "bob", "/CN=bob", ca)
    ]
    const server = certificate(path, "server", "/CN=localhost")
    return { path, ca, other, alice, bob, server, carol: certificate(path, "carol", "/CN=carol", other) }
  })

  /** How a client with this certificate fares: let in, or what there is against the certificate. */
  const verdict = Effect.fnUntraced(function* (
    secure: Tls.Secure,
    { cert, key }: { readonly cert: string; readonly key: string }
  ) {
    const [near, far] = pair()
    const client = connectTls({ socket: near, rejectUnauthorized: false, cert, key })
    client.on("error", () => {})
    return yield* Effect.match(secure(NodeTransport.make(far), new Uint8Array(0)), {
      onFailure: (error) => (error._tag === "TlsFailed" ? error.code : error._tag),
      onSuccess: () => "let in"
    })
  })

  it.effect("refuses the certificates on the list, and no others", () =>
    Effect.gen(function* () {
      const { path, server, ca, alice, bob } = yield* listed
      const clientCrl = revocationList(path, ca, [bob])
      const secure = Tls.make({ ...server, clientCa: ca.cert, clientCrl })
      assert.strictEqual(yield* verdict(secure, alice), "let in")
      assert.strictEqual(yield* verdict(secure, bob), "CERT_REVOKED")
      const without = Tls.make({ ...server, clientCa: ca.cert })
      assert.strictEqual(yield* verdict(without, bob), "let in")
    })
  )

  it.effect(
    "takes the lists of several authorities, and refuses clients of an authority without a list",
    () =>
      Effect.gen(function* () {
        const { path, server, ca, other, alice, bob, carol } = yield* listed
        const lists = [revocationList(path, ca, [bob]), revocationList(path, other, [carol])]
        const clientCa = ca.cert + other.cert
        const both = Tls.make({ ...server, clientCa, clientCrl: lists.join("") })
        assert.strictEqual(yield* verdict(both, alice), "let in")
        assert.strictEqual(yield* verdict(both, bob), "CERT_REVOKED")
        assert.strictEqual(yield* verdict(both, carol), "CERT_REVOKED")
        const one = Tls.make({ ...server, clientCa, clientCrl: lists[0]! })
        assert.strictEqual(yield* verdict(one, alice), "let in")
        assert.strictEqual(yield* verdict(one, carol), "UNABLE_TO_GET_CRL")
      })
  )

  it.effect("refuses all clients when the list is expired, and logs that once", () => {
    const { lines, layer: log } = captured()
    return Effect.gen(function* () {
      const { path, server, ca, alice } = yield* listed
      const clientCrl = revocationList(path, ca, [], { isOld: true })
      const secure = Tls.make({ ...server, clientCa: ca.cert, clientCrl })
      assert.strictEqual(yield* verdict(secure, alice), "CRL_HAS_EXPIRED")
      assert.strictEqual(yield* verdict(secure, alice), "CRL_HAS_EXPIRED")
      assert.deepStrictEqual(
        lines.map(({ level, message }) => [level, message]),
        [["Error", "clients with a certificate are turned away: their revocation list is not valid now"]]
      )
    }).pipe(Effect.provide(log))
  })
})

describe("a connection under TLS", () => {
  it.effect("is reset together with TLS", () =>
    Effect.gen(function* () {
      const { server } = yield* certificates
      const [near, far] = pair()
      const client = connectTls({ socket: near, rejectUnauthorized: false })
      client.on("error", () => {})
      const secured = yield* Tls.make({ ...server, clientCa: undefined })(
        NodeTransport.make(far),
        new Uint8Array(0)
      )
      secured.transport?.reset()
      assert.isTrue(far.destroyed)
      assert.strictEqual(yield* peer(near).ending, "reset")
    })
  )
})
