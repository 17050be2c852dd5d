/**
 * What a client of SOCKS5 sends, byte by byte, and how it reads answers, in pieces, too.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { isIncomplete } from "../../src/wire/Decoder.ts"
import * as Socks5 from "../../src/wire/Socks5.ts"
import { Method } from "../../src/wire/Socks5.ts"
import * as Socks5Client from "../../src/wire/Socks5Client.ts"
import { utf8 } from "../support/bytes.ts"
import { credentials, greeting, reply, request } from "../support/messages.ts"
import { holds } from "../support/property.ts"

const bytes = (list: Iterable<number>) => Uint8Array.from(list)

describe("a client of SOCKS5", () => {
  it("writes what RFC 1928 and RFC 1929 have", () => {
    assert.deepStrictEqual(Socks5Client.greeting(Method.UsernamePassword), bytes(greeting(0x02)))
    assert.deepStrictEqual(
      Socks5Client.credentials({ username: utf8("alice"), password: utf8("secret") }),
      bytes(credentials("alice", "secret"))
    )
    const name = Host.domainNameFromStringUnsafe("target.example")
    assert.deepStrictEqual(
      Socks5Client.request(1, { host: name, port: 443 }),
      bytes(request("target.example", 443))
    )
    const v6 = NetAddress.ipFromStringUnsafe("2001:db8::1")
    const octets = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert.deepStrictEqual(Socks5Client.request(3, { host: v6, port: 80 }), bytes(request(octets, 80, 3)))
  })

  it("is understood by the server's side", () => {
    const target = { host: NetAddress.ipFromStringUnsafe("192.0.2.1"), port: 80 }
    const read = Result.getOrThrow(Socks5.request(Socks5Client.request(1, target)))
    assert.deepStrictEqual(Result.getOrThrow(read.value.target), target)
  })

  it("reads an answer when it is whole, and no sooner", () => {
    const whole = bytes(reply(0x05))
    for (let size = 0; size < whole.length; size++) {
      const read = Socks5Client.reply(whole.subarray(0, size))
      assert.isTrue(Result.isFailure(read) && isIncomplete(read.failure), String(size))
    }
    const { value, size } = Result.getOrThrow(Socks5Client.reply(bytes([...whole, 1, 2, 3])))
    assert.strictEqual(value.code, 5)
    assert.strictEqual(size, whole.length)
  })

  it("takes a name in a reply, and refuses what is no reply", () => {
    const named = bytes([5, 0, 0, 3, 3, 97, 46, 98, 0, 80])
    assert.deepStrictEqual(Result.getOrThrow(Socks5Client.reply(named)).value, { code: 0, bound: undefined })
    assert.deepStrictEqual(Socks5Client.reply(bytes([4, 0])), Result.fail("version 4 of the reply is not 5"))
    const unknown = Result.fail("address type 9 of the reply is unknown")
    assert.deepStrictEqual(Socks5Client.reply(bytes([5, 0, 0, 9])), unknown)
    assert.isTrue(Result.isFailure(Socks5Client.methodSelection(utf8("HTTP"))))
    assert.isTrue(Result.isFailure(Socks5Client.credentialsStatus(utf8("HTTP"))))
  })

  it("never throws", () => {
    holds(
      fc.property(fc.uint8Array({ maxLength: 40 }), (any) => {
        const { methodSelection, credentialsStatus, reply } = Socks5Client
        const sizes = [methodSelection(any), credentialsStatus(any), reply(any)].map((read: unknown) => {
          const decoded = read as Result.Result<{ readonly size: number }, unknown>
          return Result.isSuccess(decoded) ? decoded.success.size : 0
        })
        assert.isAtMost(Math.max(...sizes), any.length)
      })
    )
  })
})
