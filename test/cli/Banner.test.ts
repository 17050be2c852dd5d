/**
 * What people are told at the start of what their settings mean to others.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Banner from "../../src/cli/Banner.ts"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import * as SelfSigned from "../../src/network/SelfSigned.ts"
import * as Config from "../../src/server/Config.ts"

const open = "Everyone who can reach it can use it, and what they do comes from this machine (--open)."
const clear =
  "Passwords go over the network in the clear: others on the way can read them. With TLS they cannot:\n" +
  "    --listen tls:ADDRESS --tls-cert FILE --tls-key FILE, or --tls auto to try it"

const banner = (
  listen: ReadonlyArray<string>,
  asksPassword: boolean,
  values: Partial<Config.Values> = {}
) => {
  const listeners = listen.map((text) => Option.getOrThrow(ListenAddress.fromString(text)))
  return Banner.lines({ listeners, asksPassword }, { ...Config.defaults, ...values, listen: listeners }).join(
    "\n"
  )
}

describe("the banner", () => {
  for (const [listen, asksPassword, values, said] of [
    [["0.0.0.0:1080"], false, { open: true }, [open]],
    [["127.0.0.1:1080", "[::]:1080"], false, { open: true }, [open]],
    [["127.0.0.1:1080", "unix:/run/socks"], false, { open: true }, []],
    [["tls:0.0.0.0:1080"], false, { open: true }, [open]],
    [["tls:0.0.0.0:1080"], false, { open: true, tlsClientCa: "ca.pem" }, []],
    [["0.0.0.0:1080"], true, {}, [clear]],
    [["0.0.0.0:1080"], true, { open: true }, [clear]],
    [["tls:0.0.0.0:1080", "127.0.0.1:1080"], true, {}, []],
    [["tls:0.0.0.0:1080", "192.0.2.1:1080"], true, {}, [clear]],
    [["127.0.0.1:1080"], true, {}, []]
  ] as const) {
    it(`for ${listen.join(", ")} with ${JSON.stringify(values)} has ${said.length} lines`, () => {
      const shown = banner(listen, asksPassword, values)
      for (const line of [open, clear]) {
        assert.strictEqual(shown.includes(line), said.includes(line as never), line)
      }
    })
  }

  it("says that report mode allows every target", () => {
    const shown = banner(["0.0.0.0:1080"], false, { open: true, reportOnly: true })
    assert.notInclude(shown, "cannot go")
    assert.include(shown, "Clients can go everywhere, to private addresses too")
  })

  it.effect("says that a certificate is self-signed, and shows a command to try it", () =>
    Effect.gen(function* () {
      const { cert } = yield* SelfSigned.make([])
      const listeners = ["tls:127.0.0.1:1443", "127.0.0.1:1080"].map((text) =>
        Option.getOrThrow(ListenAddress.fromString(text))
      )
      const shown = Banner.lines({ listeners, asksPassword: false, selfSigned: cert }, Config.defaults)
      assert.include(shown, `    ${SelfSigned.fingerprint(cert)}`)
      assert.deepStrictEqual(
        shown.filter((line) => line.includes("Try it")),
        [
          "  Try it: curl --proxy-insecure -x https://127.0.0.1:1443 https://example.com",
          "  Try it: curl -x socks5h://127.0.0.1:1080 https://example.com"
        ]
      )
    })
  )
})
