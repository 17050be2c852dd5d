/**
 * Certificates that the server makes itself, as Node reads them.
 */
import { X509Certificate } from "node:crypto"
import { createServer, connect as dial } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as SelfSigned from "../../src/network/SelfSigned.ts"

const day = 24 * 60 * 60_000

const read = Effect.fnUntraced(function* (hosts: ReadonlyArray<string>) {
  const { cert, key } = yield* SelfSigned.make(hosts)
  return { cert, key, certificate: new X509Certificate(cert) }
})

describe("a self-signed certificate", () => {
  it.effect("is signed by its own key, is no authority, and names its purpose", () =>
    Effect.gen(function* () {
      const { certificate } = yield* read([])
      assert.isTrue(certificate.verify(certificate.publicKey))
      assert.isFalse(certificate.ca)
      assert.strictEqual(certificate.subject, "CN=effect-socks self-signed for trying")
      assert.strictEqual(certificate.issuer, certificate.subject)
      assert.deepStrictEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1"])
    })
  )

  it.effect("is for this machine and the hosts of listeners", () =>
    Effect.gen(function* () {
      const { certificate } = yield* read([
        "0.0.0.0",
        "2001:db8::ffff:7",
        "proxy.example",
        "127.0.0.1",
        "a b"
      ])
      assert.match(
        String(certificate.subjectAltName),
        /^DNS:localhost, IP Address:127\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1, (DNS:[\w.-]+, )?IP Address:2001:DB8:0:0:0:0:FFFF:7, DNS:proxy\.example$/
      )
      for (const name of ["localhost", "proxy.example"]) assert.isDefined(certificate.checkHost(name), name)
      for (const address of ["127.0.0.1", "::1", "2001:db8::ffff:7"])
        assert.isDefined(certificate.checkIP(address), address)
    })
  )

  it.effect("is valid for a year, in any century", () =>
    Effect.gen(function* () {
      for (const start of ["2026-11-29T12:00:00Z", "2049-06-01T00:00:00Z", "2050-01-02T00:00:00Z"]) {
        const now = Date.parse(start)
        yield* TestClock.setTime(now)
        const { certificate } = yield* read([])
        assert.strictEqual(Date.parse(certificate.validFrom), now - day)
        assert.strictEqual(Date.parse(certificate.validTo), now + 365 * day)
      }
    })
  )

  it.effect("may have many names", () =>
    Effect.gen(function* () {
      for (const count of [3, 10, 400]) {
        const { certificate } = yield* read(
          Array.from({ length: count }, (_, index) => `host-${index}.example`)
        )
        assert.isDefined(certificate.checkHost(`host-${count - 1}.example`))
        assert.isTrue(certificate.verify(certificate.publicKey))
      }
    })
  )

  it.effect("is kept, one for each server", () =>
    Effect.gen(function* () {
      const kept = SelfSigned.kept()
      const first = yield* kept([])
      assert.strictEqual(yield* kept(["proxy.example"]), first)
      assert.notStrictEqual((yield* SelfSigned.kept()([])).cert, first.cert)
    })
  )

  it.live("is trusted by a client that has it as an authority", () =>
    Effect.gen(function* () {
      const { cert, key } = yield* read([])
      const server = createServer({ cert, key }, (socket) => socket.end("hello"))
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      const heard = yield* Effect.callback<string>((resume) => {
        server.listen(0, "127.0.0.1", () => {
          const { port } = server.address() as { readonly port: number }
          dial({ host: "127.0.0.1", port, ca: cert })
            .on("error", ({ message }) => resume(Effect.succeed(message)))
            .on("data", (bytes) => resume(Effect.succeed(String(bytes))))
        })
      })
      assert.strictEqual(heard, "hello")
    })
  )
})
