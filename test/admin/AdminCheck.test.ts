/**
 * Where an admin listener may be.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as AdminCheck from "../../src/admin/AdminCheck.ts"
import * as AdminSettings from "../../src/admin/Settings.ts"
import { certificate } from "../support/certificates.ts"
import { itNeeds } from "../support/needs.ts"
import { directory } from "../support/temporary.ts"

const settings = (
  admin: string | undefined,
  files: { adminTlsCert?: string; adminTlsKey?: string } = {}
) => ({
  ...AdminSettings.AdminSettings.defaults,
  ...files,
  admin: admin === undefined ? undefined : Option.getOrThrow(AdminSettings.address(admin))
})

describe("an admin listener", () => {
  it.effect("is on this machine without TLS", () =>
    Effect.gen(function* () {
      for (const own of [undefined, "127.0.0.1:9090", "[::1]:9090", "localhost:0", "unix:/run/admin.sock"]) {
        assert.isUndefined(yield* AdminCheck.tls(settings(own)))
      }
      for (const far of ["0.0.0.0:9090", "[::]:9090", "192.0.2.1:9090", "proxy.example:9090"]) {
        const { message } = yield* Effect.flip(AdminCheck.tls(settings(far)))
        assert.include(message, `--admin: "${far}" is not possible beyond loopback without TLS`)
      }
    })
  )

  it("has an address without TLS and options of its own", () => {
    for (const text of ["tls:127.0.0.1:9090", "systemd", "127.0.0.1:9090?udp=false", "9090"]) {
      assert.isTrue(Option.isNone(AdminSettings.address(text)), text)
    }
  })

  itNeeds("openssl")("is anywhere with a certificate and its key", () =>
    Effect.gen(function* () {
      const { certFile, keyFile, cert } = certificate(yield* directory, "admin", "/CN=localhost")
      const both = { adminTlsCert: certFile, adminTlsKey: keyFile }
      assert.strictEqual((yield* AdminCheck.tls(settings("0.0.0.0:9090", both)))?.cert, cert)
      for (const [admin, files] of [
        ["0.0.0.0:9090", { adminTlsCert: certFile }],
        ["0.0.0.0:9090", { adminTlsKey: keyFile }],
        ["0.0.0.0:9090", { adminTlsCert: keyFile, adminTlsKey: keyFile }],
        [undefined, both]
      ] as const) {
        assert.match((yield* Effect.flip(AdminCheck.tls(settings(admin, files)))).message, /^--admin-tls-/)
      }
    })
  )
})
