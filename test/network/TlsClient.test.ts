/**
 * The client's side of TLS, against the server's side, on connections in memory.
 */

import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import * as Tls from "../../src/network/Tls.ts"
import * as TlsClient from "../../src/network/TlsClient.ts"
import { pair, peer } from "../../src/testing/index.ts"
import { certificate } from "../support/certificates.ts"
import { directory } from "../support/temporary.ts"

const nothing = new Uint8Array(0)

/** Both ends of a connection whose server has a certificate for `localhost` and 127.0.0.1. */
const secured = Effect.fnUntraced(function* (
  files: TlsClient.Files,
  host: string,
  server: Parameters<typeof Tls.make>[0]
) {
  const [near, far] = pair()
  yield* Effect.addFinalizer(() => Effect.sync(() => near.destroy()))
  const secure = yield* TlsClient.load(files)
  return yield* Effect.all(
    [
      Effect.exit(Tls.make(server)(NodeTransport.make(far), nothing)),
      secure(NodeTransport.make(near), nothing, host)
    ],
    { concurrency: "unbounded" }
  )
})

describe("a client of TLS", () => {
  it.live("trusts the authority that it is given, for the name or address that it wants, and no other", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const own = certificate(path, "server", "/CN=localhost")
      const server = { ...own, clientCa: undefined }
      const ca = own.certFile
      for (const host of ["localhost", "127.0.0.1"]) {
        const [, transport] = yield* secured({ ca }, host, server)
        assert.isTrue(transport.isWritable)
      }
      for (const host of ["proxy.example", "127.0.0.2"]) {
        assert.strictEqual(
          yield* Effect.flip(secured({ ca }, host, server)),
          "TLS: ERR_TLS_CERT_ALTNAME_INVALID"
        )
      }
      assert.strictEqual(
        yield* Effect.flip(secured({}, "localhost", server)),
        "TLS: DEPTH_ZERO_SELF_SIGNED_CERT"
      )
    }).pipe(Effect.scoped)
  )

  it.live("verifies the certificate also where the environment says otherwise", () =>
    Effect.gen(function* () {
      const server = { ...certificate(yield* directory, "server", "/CN=localhost"), clientCa: undefined }
      yield* Effect.acquireRelease(
        Effect.sync(() => Object.assign(process.env, { NODE_TLS_REJECT_UNAUTHORIZED: "0" })),
        () => Effect.sync(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED)
      )
      assert.strictEqual(
        yield* Effect.flip(secured({}, "localhost", server)),
        "TLS: DEPTH_ZERO_SELF_SIGNED_CERT"
      )
    }).pipe(Effect.scoped)
  )

  it.live("shows its certificate to a server that asks for one", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const own = certificate(path, "server", "/CN=localhost")
      const authority = certificate(path, "ca", "/CN=an authority")
      const alice = certificate(path, "alice", "/O=Example/CN=alice", authority)
      const files = { ca: own.certFile, cert: alice.certFile, key: alice.keyFile }
      const [accepted] = yield* secured(files, "localhost", { ...own, clientCa: authority.cert })
      assert.deepInclude(accepted, { _tag: "Success" })
    }).pipe(Effect.scoped)
  )

  it.live("fails with a sentence if the other side closes, or speaks no TLS", () =>
    Effect.gen(function* () {
      const secure = yield* TlsClient.load({})
      const answered = (answer: string) =>
        Effect.gen(function* () {
          const [near, far] = pair()
          const other = peer(far)
          yield* other.send(answer)
          yield* other.end
          return yield* Effect.flip(secure(NodeTransport.make(near), nothing, "localhost"))
        })
      assert.match(yield* answered(""), /closed its connection/)
      assert.match(yield* answered("HTTP/1.1 400 Bad Request\r\n\r\n"), /^TLS: ERR_SSL_/)
    })
  )

  it.live("names the file that cannot be used", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const empty = join(path, "empty.pem")
      writeFileSync(empty, "")
      const { certFile, keyFile } = certificate(path, "server", "/CN=localhost")
      const other = certificate(path, "other", "/CN=other")
      const fails = (files: TlsClient.Files) => Effect.flip(TlsClient.load(files))
      const missing = join(path, "missing.pem")
      assert.deepStrictEqual(yield* fails({ ca: missing }), {
        file: missing,
        expected: "a file that can be read (ENOENT)"
      })
      assert.deepStrictEqual(yield* fails({ ca: empty }), { file: empty, expected: "a PEM certificate" })
      assert.strictEqual((yield* fails({ cert: certFile, key: other.keyFile })).file, other.keyFile)
      assert.strictEqual((yield* fails({ cert: empty, key: keyFile })).file, empty)
    }).pipe(Effect.scoped)
  )
})
