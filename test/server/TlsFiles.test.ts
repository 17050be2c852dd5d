/**
 * The files of TLS listeners that are refused, with the sentence for each.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import * as Config from "../../src/server/Config.ts"
import * as TlsFiles from "../../src/server/TlsFiles.ts"
import { certificate } from "../support/certificates.ts"
import { itNeeds } from "../support/needs.ts"
import * as Temporary from "../support/temporary.ts"

const it = itNeeds("openssl")

type Files = Pick<Config.Values, "tls" | "tlsCert" | "tlsKey" | "tlsClientCa" | "tlsClientCrl">

/** What is said of these files, for a TLS listener unless another one is given. */
const refusal = (files: Partial<Files>, at = "tls:127.0.0.1:0") =>
  Effect.map(
    Effect.flip(
      Effect.provide(
        TlsFiles.load,
        Config.layer({ ...files, listen: [Option.getOrThrow(ListenAddress.fromString(at))] })
      )
    ),
    ({ message }) => message
  )

describe("the files of TLS listeners", () => {
  it("are needed for TLS, and are refused without a TLS listener", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* refusal({}),
        '--listen: "tls:127.0.0.1:0" is not possible without --tls-cert and --tls-key, or --tls auto to try it'
      )
      assert.strictEqual(
        yield* refusal({ tlsCert: "/cert" }, "127.0.0.1:0"),
        '--tls-cert: "/cert" is not used by any listener: put tls: before the address of a listener'
      )
      assert.strictEqual(
        yield* refusal({ tls: "auto" }, "127.0.0.1:0"),
        '--tls: "auto" is not used by any listener: put tls: before the address of a listener'
      )
      assert.strictEqual(
        yield* refusal({ tls: "auto", tlsKey: "/key" }),
        '--tls: "auto" is not possible beside --tls-cert and --tls-key: the server makes both itself'
      )
    }))

  it("must exist, be PEM, and belong together", () =>
    Effect.gen(function* () {
      const path = yield* Temporary.directory
      const { certFile, keyFile } = certificate(path, "server", "/CN=localhost")
      const { keyFile: otherKey } = certificate(path, "alice", "/CN=alice")
      const text = join(path, "text")
      writeFileSync(text, "no certificate")
      const missing = join(path, "missing")
      const files = { tlsCert: certFile, tlsKey: keyFile, tlsClientCa: certFile }
      const unreadable = (name: string) => `--${name}: "${missing}" is not a file that can be read (ENOENT)`
      for (const [changed, sentence] of [
        [{ tlsCert: missing }, unreadable("tls-cert")],
        [{ tlsKey: missing }, unreadable("tls-key")],
        [{ tlsClientCa: missing }, unreadable("tls-client-ca")],
        [{ tlsClientCrl: missing }, unreadable("tls-client-crl")],
        [{ tlsCert: text }, `--tls-cert: "${text}" is not a PEM certificate`],
        [{ tlsKey: text }, `--tls-key: "${text}" is not a PEM private key without a passphrase`],
        [{ tlsClientCa: text }, `--tls-client-ca: "${text}" is not a PEM certificate`],
        [
          { tlsClientCrl: certFile },
          `--tls-client-crl: "${certFile}" is not a PEM certificate revocation list`
        ],
        [
          { tlsClientCa: undefined, tlsClientCrl: certFile },
          `--tls-client-crl: "${certFile}" is not used without --tls-client-ca, whose certificates it revokes`
        ],
        [{ tlsKey: otherKey }, `--tls-key: "${otherKey}" is not the key of the certificate in "${certFile}"`]
      ] as const) {
        assert.strictEqual(yield* refusal({ ...files, ...changed }), sentence)
      }
    }))
})
