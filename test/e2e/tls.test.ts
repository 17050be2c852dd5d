/**
 * SOCKS over TLS on real connections, and the files that it takes.
 *
 * @module-tag transport
 */
import { writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { type ConnectionOptions, connect as connectTls } from "node:tls"
import { assert, it, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { peer } from "../../src/testing/index.ts"
import { certificate, revocationList } from "../support/certificates.ts"
import { greeting, request } from "../support/messages.ts"
import { describeNeeds, itNeeds } from "../support/needs.ts"
import { output } from "../support/processes.ts"
import * as Program from "../support/program.ts"
import { echo, serve } from "../support/sockets.ts"
import * as Tcp from "../support/tcp.ts"
import { directory } from "../support/temporary.ts"

const certificates = Effect.map(directory, (path) => {
  const ca = certificate(path, "ca", "/CN=an authority")
  return {
    path,
    ca,
    server: certificate(path, "server", "/CN=localhost"),
    alice: certificate(path, "alice", "/CN=alice", ca),
    bob: certificate(path, "bob", "/CN=bob", ca),
    carol: certificate(path, "carol", "/CN=carol", ca),
    stranger: certificate(path, "stranger", "/CN=alice")
  }
})

/** A client over TLS, the TCP connection under it, and the address that it comes from. */
const dial = Effect.fnUntraced(function* (address: string, options: ConnectionOptions = {}) {
  const carrier = connect({ host: "127.0.0.1", port: Program.portOf(address), allowHalfOpen: true })
  let from = ""
  carrier
    .on("error", () => {})
    .once("connect", () => {
      from = `127.0.0.1:${carrier.localPort}`
    })
  const socket = connectTls({ socket: carrier, servername: "localhost", ...options })
  yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
  return {
    ...peer(socket),
    carrier,
    from: () => from,
    /** The SHA-256 of the server's certificate. */
    certificate: () => socket.getPeerCertificate().fingerprint256
  }
})

/** What the line of a client's session has. */
const sessionOf = ({ from }: { readonly from: () => string }) => ({ message: "session", client: from() })

const open = (port: number) => [...greeting(0x00), ...request("127.0.0.1", port)]

const server = Effect.gen(function* () {
  const files = yield* certificates
  const { server } = files
  const listen = ["tls:127.0.0.1:0", "127.0.0.1:0", "tls:127.0.0.1:0?udp=true"]
  const args = ["--udp", ...listen.flatMap((at) => ["--listen", at])]
  const tls = ["--tls-cert", server.certFile, "--tls-key", server.keyFile]
  const program = yield* Program.start([...args, ...tls, "--log-level", "debug"])
  return { ...files, ...program, trust: { ca: server.cert } }
})

const Server = Context.Service<Effect.Success<typeof server>>("test/e2e/tls/Server")

describeNeeds("openssl")("over TLS", () => {
  layer(Layer.effect(Server, server), { excludeTestServices: true })((it) => {
    it.effect("UDP is off, unless the listener has udp=true", () =>
      Effect.gen(function* () {
        const { addresses, trust } = yield* Server
        const answers = [
          dial(addresses[0]!, trust),
          Tcp.connect(Program.portOf(addresses[1]!)),
          dial(addresses[2]!.replace(/\?.*/, ""), trust)
        ].map((dialled) =>
          Effect.gen(function* () {
            const client = yield* dialled
            yield* client.send([...greeting(0x00), ...request("0.0.0.0", 0, 0x03)])
            return (yield* client.receive(12))[3]
          })
        )
        assert.deepStrictEqual(yield* Effect.all(answers), [0x07, 0x00, 0x00])
      })
    )

    it.effect("a client can send FIN and still receive", () =>
      Effect.gen(function* () {
        const { addresses, logged, trust } = yield* Server
        const { port } = yield* serve((socket) => {
          socket.resume().on("end", () => setTimeout(() => socket.end("late"), 100))
        })
        const client = yield* dial(addresses[0]!, trust)
        yield* client.send(open(port))
        yield* client.receive(12)
        yield* client.end
        assert.strictEqual(new TextDecoder().decode(yield* client.rest), "late")
        assert.strictEqual(yield* client.ending, "end")
        yield* logged({ ...sessionOf(client), outcome: "finished" })
      })
    )

    it.effect("a target can send FIN and still receive", () =>
      Effect.gen(function* () {
        const { addresses, logged, trust } = yield* Server
        let received = ""
        const { port } = yield* serve((socket) => {
          socket.end("first")
          socket.on("data", (bytes) => {
            received += bytes
          })
        })
        const client = yield* dial(addresses[0]!, { ...trust, allowHalfOpen: true } as ConnectionOptions)
        yield* client.send(open(port))
        yield* client.receive(12)
        assert.strictEqual(new TextDecoder().decode(yield* client.rest), "first")
        yield* client.send("second")
        yield* client.end
        yield* logged({ ...sessionOf(client), outcome: "finished" })
        assert.strictEqual(received, "second")
      })
    )

    it.effect("a megabyte comes back whole", () =>
      Effect.gen(function* () {
        const { addresses, trust } = yield* Server
        const client = yield* dial(addresses[0]!, trust)
        yield* client.send(open((yield* echo()).port))
        yield* client.receive(12)
        const bytes = new Uint8Array(1 << 20).map((_, index) => index * 31)
        yield* client.send(bytes)
        yield* client.end
        assert.deepStrictEqual(Buffer.compare(yield* client.rest, bytes), 0)
      })
    )

    it.effect("a target's reset is a reset of TCP", () =>
      Effect.gen(function* () {
        const { addresses, logged, trust } = yield* Server
        const { port } = yield* serve((socket) => {
          socket.write("half an ans")
          socket.once("data", () => socket.resetAndDestroy())
        })
        const client = yield* dial(addresses[0]!, trust)
        yield* client.send(open(port))
        yield* client.receive(12 + 11)
        let code: string | undefined
        client.duplex.on("error", (error: NodeJS.ErrnoException) => {
          code = error.code
        })
        yield* client.send("go")
        assert.strictEqual(yield* client.ending, "reset")
        assert.strictEqual(code, "ECONNRESET")
        yield* logged({ ...sessionOf(client), outcome: "target reset" })
      })
    )

    it.effect("a client's reset is the target's", () =>
      Effect.gen(function* () {
        const { addresses, logged, trust } = yield* Server
        let code: string | undefined
        const { port } = yield* serve((socket) => {
          socket.on("error", (error: NodeJS.ErrnoException) => {
            code = error.code
          })
          socket.resume()
        })
        const client = yield* dial(addresses[0]!, trust)
        yield* client.send(open(port))
        yield* client.receive(12)
        client.carrier.resetAndDestroy()
        yield* logged({ ...sessionOf(client), outcome: "client reset" })
        assert.strictEqual(code, "ECONNRESET")
      })
    )

    it.effect("a client without TLS causes a hint in the log", () =>
      Effect.gen(function* () {
        const { addresses, logged, trust } = yield* Server
        const plain = peer(connect({ host: "127.0.0.1", port: Program.portOf(addresses[0]!) }))
        yield* plain.send(greeting(0x00))
        assert.deepStrictEqual([...(yield* plain.rest)], [])
        const { hint } = yield* logged({ outcome: "UnknownProtocol", firstByte: 0x05 })
        assert.match(String(hint), /does not speak TLS/)
        const secure = yield* dial(addresses[1]!, trust)
        assert.deepStrictEqual([...(yield* secure.rest)], [])
        const line = yield* logged({ outcome: "UnknownProtocol", firstByte: 0x16 })
        assert.match(String(line.hint), /speaks TLS.*tls:/)
        assert.strictEqual(line.level, "info")
      })
    )

    it.effect("openssl's client gets an answer", () =>
      Effect.gen(function* () {
        const { addresses } = yield* Server
        const target = `127.0.0.1:${Program.portOf(addresses[0]!)}`
        const script = `(printf '\\005\\001\\000'; sleep 1) | openssl s_client -quiet -no_ign_eof -connect ${target} | od -An -tx1`
        assert.strictEqual((yield* output("sh", ["-c", script])).trim(), "05 00")
      })
    )
  })
})

const verifying = Effect.gen(function* () {
  const files = yield* certificates
  const { server, ca, path } = files
  const users = join(path, "users.yaml")
  writeFileSync(users, "- { name: alice, groups: [staff] }\n- { name: carol, expires: 2001-01-01 }\n")
  const tls = ["--tls-cert", server.certFile, "--tls-key", server.keyFile]
  const clients = ["--tls-client-ca", ca.certFile, "--users-file", users]
  // No user has a password, and still the server needs no --open.
  const open = ["--listen", "tls:0.0.0.0:0", "--private-targets", "allow"]
  const program = yield* Program.start([...open, ...tls, ...clients, "--log-level", "debug"])
  return { ...files, ...program, trust: { ca: server.cert } }
})

const Verifying = Context.Service<Effect.Success<typeof verifying>>("test/e2e/tls/Verifying")

describeNeeds("openssl")("with certificates of clients", () => {
  layer(Layer.effect(Verifying, verifying), { excludeTestServices: true })((it) => {
    it.effect("a client with a certificate is let in, with the name in it", () =>
      Effect.gen(function* () {
        const { addresses, logged, trust, bob } = yield* Verifying
        const client = yield* dial(addresses[0]!, { ...trust, cert: bob.cert, key: bob.key })
        yield* client.send(open((yield* echo()).port))
        assert.deepStrictEqual([...(yield* client.receive(4))], [5, 0, 5, 0])
        yield* client.end
        yield* logged({ ...sessionOf(client), user: "bob", outcome: "finished" })
      })
    )

    it.effect("a user of that name has the user's settings, and is refused when expired", () =>
      Effect.gen(function* () {
        const { addresses, logged, trust, alice, carol } = yield* Verifying
        const one = yield* dial(addresses[0]!, { ...trust, cert: alice.cert, key: alice.key })
        yield* one.send(open((yield* echo()).port))
        assert.deepStrictEqual([...(yield* one.receive(4))], [5, 0, 5, 0])
        const other = yield* dial(addresses[0]!, { ...trust, cert: carol.cert, key: carol.key })
        yield* other.send(greeting(0x00))
        assert.deepStrictEqual([...(yield* other.rest)], [])
        yield* logged({ outcome: "CertificateRefused", user: "carol", reason: "expired", level: "info" })
      })
    )

    it.effect("a client without a certificate, or with a foreign one, is refused", () =>
      Effect.gen(function* () {
        const { addresses, logged, trust, stranger } = yield* Verifying
        const nobody = yield* dial(addresses[0]!, trust)
        yield* nobody.send(greeting(0x00))
        assert.deepStrictEqual([...(yield* nobody.rest)], [])
        yield* logged({ outcome: "TlsFailed", code: "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE" })
        const impostor = yield* dial(addresses[0]!, { ...trust, cert: stranger.cert, key: stranger.key })
        yield* impostor.send(greeting(0x00))
        assert.deepStrictEqual([...(yield* impostor.rest)], [])
        const { level } = yield* logged({ outcome: "TlsFailed", code: "DEPTH_ZERO_SELF_SIGNED_CERT" })
        assert.strictEqual(level, "debug")
      })
    )

    it.effect("a revoked certificate is refused after a reload of the list", () =>
      Effect.gen(function* () {
        const { path, server, ca, alice, bob } = yield* certificates
        const crl = join(path, "crl.pem")
        writeFileSync(crl, revocationList(path, ca, []))
        const { addresses, logged } = yield* Program.start([
          ...["--listen", "tls:127.0.0.1:0", "--tls-client-crl", crl, "--log-level", "debug"],
          ...["--tls-cert", server.certFile, "--tls-key", server.keyFile, "--tls-client-ca", ca.certFile]
        ])
        const { port } = yield* echo()
        const ask = Effect.fnUntraced(function* ({
          cert,
          key
        }: {
          readonly cert: string
          readonly key: string
        }) {
          const client = yield* dial(addresses[0]!, { ca: server.cert, cert, key })
          yield* client.send(open(port))
          return client
        })
        assert.deepStrictEqual([...(yield* (yield* ask(bob)).receive(4))], [5, 0, 5, 0])
        writeFileSync(crl, revocationList(path, ca, [bob]))
        yield* logged({ message: "reloaded" })
        assert.deepStrictEqual([...(yield* (yield* ask(bob)).rest)], [])
        yield* logged({ outcome: "TlsFailed", code: "CERT_REVOKED" })
        assert.deepStrictEqual([...(yield* (yield* ask(alice)).receive(4))], [5, 0, 5, 0])
      })
    )
  })
})

itNeeds("openssl")("files that cannot be used are refused at the start", () =>
  Effect.gen(function* () {
    const { code, stderr } = yield* Program.run(["--listen", "tls:127.0.0.1:0"])
    assert.deepStrictEqual(
      [code, stderr],
      [
        2,
        '--listen: "tls:127.0.0.1:0" is not possible without --tls-cert and --tls-key, or --tls auto to try it\n'
      ]
    )
  })
)

it.live(
  "a server with --tls auto makes a certificate, keeps it over reloads, and shares it with its workers",
  () =>
    Effect.gen(function* () {
      const { port } = yield* echo()
      for (const workers of ["1", "2"]) {
        const { addresses, logged, kill } = yield* Program.start([
          ...["--listen", "tls:127.0.0.1:0", "--tls", "auto", "--workers", workers]
        ])
        const { selfSigned } = yield* logged({ message: "listening" })
        yield* logged({
          level: "warn",
          message: "tls: auto is for trying: the certificate is self-signed, and another after each start"
        })
        const seen = Effect.fnUntraced(function* () {
          const client = yield* dial(addresses[0]!, { rejectUnauthorized: false })
          yield* client.send(open(port))
          assert.deepStrictEqual([...(yield* client.receive(4))], [5, 0, 5, 0])
          return client.certificate()
        }, Effect.scoped)
        const prints = () => Effect.forEach(Array.from({ length: 6 }), seen)
        assert.deepStrictEqual([...new Set(yield* prints())], [selfSigned])
        yield* kill("SIGHUP")
        yield* logged({ message: "reloaded" })
        assert.deepStrictEqual([...new Set(yield* prints())], [selfSigned])
      }
    })
)
