import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as UnencryptedUdp from "../../src/cli/UnencryptedUdp.ts"
import * as ListenAddress from "../../src/config/ListenAddress.ts"
import { defaults } from "../../src/server/Config.ts"

const at = (text: string) => Option.getOrThrow(ListenAddress.fromString(text))

describe("the warning about UDP at a listener", () => {
  for (const [listen, settings, note] of [
    ["127.0.0.1:1", {}, ""],
    ["127.0.0.1:1?udp=true", {}, ""],
    ["tls:127.0.0.1:1", {}, ", without UDP, which TLS does not protect (?udp=true)"],
    ["tls:127.0.0.1:1", { udp: false }, ""],
    ["tls:127.0.0.1:1?udp=true", {}, ", with UDP in the clear (udp=true)"],
    ["tls:127.0.0.1:1?udp=true", { udp: false }, ", with UDP in the clear (udp=true)"],
    // Only SOCKS5 has them.
    ["tls:127.0.0.1:1?protocols=http", {}, ""],
    ["tls:127.0.0.1:1?udp=true", { protocols: ["http", "socks4"] }, ""]
  ] as const) {
    it(`${listen} ${JSON.stringify(settings)}: ${note || "none"}`, () => {
      const values = { ...defaults, udp: true, ...settings }
      assert.strictEqual(UnencryptedUdp.noteOn(at(listen), values), note)
      assert.strictEqual(UnencryptedUdp.isAt(at(listen), values), note.includes("in the clear"))
    })
  }
})
