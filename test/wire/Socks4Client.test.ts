import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { isIncomplete } from "../../src/wire/Decoder.ts"
import * as Socks4 from "../../src/wire/Socks4.ts"
import * as Socks4Client from "../../src/wire/Socks4Client.ts"
import { utf8 } from "../support/bytes.ts"

describe("a client of SOCKS4", () => {
  it("writes an address, or a name as SOCKS4A has it", () => {
    const host = NetAddress.ipFromStringUnsafe("192.0.2.1") as NetAddress.Ipv4Address
    assert.deepStrictEqual(
      Socks4Client.request(1, { host, port: 80 }, utf8("me")),
      Uint8Array.of(4, 1, 0, 80, 192, 0, 2, 1, 109, 101, 0)
    )
    assert.deepStrictEqual(
      Socks4Client.request(1, { host: "a.b" as never, port: 443 }, utf8("")),
      Uint8Array.of(4, 1, 1, 187, 0, 0, 0, 1, 0, 97, 46, 98, 0)
    )
  })

  it("is understood by the server's side", () => {
    const written = Socks4Client.request(1, { host: "a.b" as never, port: 443 }, utf8("me"))
    const { value, size } = Result.getOrThrow(Socks4.request(written))
    assert.strictEqual(size, written.length)
    assert.deepStrictEqual(Result.getOrThrow(value.target), { host: "a.b" as never, port: 443 })
  })

  it("reads a reply when it is whole, of version 0 or 4", () => {
    for (const version of [0, 4]) {
      const whole = Uint8Array.of(version, 0x5a, 0, 80, 192, 0, 2, 1)
      for (let size = 0; size < 8; size++) {
        const read = Socks4Client.reply(whole.subarray(0, size))
        assert.isTrue(Result.isFailure(read) && isIncomplete(read.failure))
      }
      assert.strictEqual(Result.getOrThrow(Socks4Client.reply(whole)).value.code, 0x5a)
    }
    assert.deepStrictEqual(Socks4Client.reply(utf8("HTTP")), Result.fail("version 72 of the reply is not 0"))
  })
})
