/**
 * SOCKS4 messages, and the host names of SOCKS4A: what decodes, what is only
 * unfinished, what is too long, and the frames that go out.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { isIncomplete } from "../../src/wire/Decoder.ts"
import * as Socks4 from "../../src/wire/Socks4.ts"
import * as Target from "../../src/wire/Target.ts"
import { hex, utf8 } from "../support/bytes.ts"
import { decodeWhole } from "../support/decoding.ts"
import { holds } from "../support/property.ts"

const message = (
  command: number,
  port: number,
  address: ReadonlyArray<number>,
  ...texts: Array<Iterable<number>>
) => [...[0x04, command, port >> 8, port & 0xff, ...address], ...texts.flatMap((text) => [...text, 0])]

const userId = fc.uint8Array({ min: 1, maxLength: 255 })
const port = fc.nat(65_535)

const failureOf = (bytes: ReadonlyArray<number>) => {
  const result = Socks4.request(Uint8Array.from(bytes))
  if (Result.isSuccess(result)) return "success"
  return isIncomplete(result.failure) ? "incomplete" : result.failure._tag
}

describe("Socks4", () => {
  it("reads a request for an address back, whatever the user id", () => {
    const address = fc.tuple(fc.integer({ min: 1, max: 255 }), fc.nat(255), fc.nat(255), fc.nat(255))
    holds(
      fc.property(fc.nat(255), port, address, userId, fc.uint8Array(), (command, at, ip, user, behind) => {
        const request = decodeWhole(Socks4.request, message(command, at, ip, user), behind)
        assert.deepStrictEqual([request.command, request.userId], [command, user])
        assert.strictEqual(Target.format(Result.getOrThrow(request.target)), `${ip.join(".")}:${at}`)
      })
    )
  })

  it("reads a request for a name back", () => {
    holds(
      fc.property(
        fc.integer({ min: 1, max: 255 }),
        port,
        userId,
        fc.uint8Array(),
        (last, at, user, behind) => {
          const sent = message(1, at, [0, 0, 0, last], user, utf8("Example.COM."))
          const { target } = decodeWhole(Socks4.request, sent, behind)
          assert.strictEqual(Target.format(Result.getOrThrow(target)), `example.com:${at}`)
        }
      )
    )
  })

  it("takes only 0.0.0.x as the mark of a name", () => {
    for (const [address, expected] of [
      [[0, 0, 0, 0], "0.0.0.0:80"],
      [[0, 1, 2, 3], "0.1.2.3:80"],
      [[0, 0, 1, 0], "0.0.1.0:80"]
    ] as const) {
      const { target } = decodeWhole(Socks4.request, message(1, 80, address, []), utf8("name\0"))
      assert.strictEqual(Target.format(Result.getOrThrow(target)), expected)
    }
  })

  it("refuses invalid names", () => {
    for (const name of ["", "127.1", "0x7f.1", "2130706433", "a b", "a\r\nb", "::1%lo"]) {
      const { target } = decodeWhole(Socks4.request, message(1, 80, [0, 0, 0, 1], [], utf8(name)), utf8(""))
      assert.isTrue(Result.isFailure(target), name)
    }
  })

  it("bounds both texts, which have no length before them", () => {
    const long = (length: number) => Array.from({ length }, () => 0x61)
    assert.strictEqual(failureOf(message(1, 80, [192, 0, 2, 1]).concat(long(255))), "incomplete")
    assert.strictEqual(failureOf(message(1, 80, [192, 0, 2, 1]).concat(long(256))), "MalformedRequest")
    assert.strictEqual(failureOf(message(1, 80, [0, 0, 0, 1], []).concat(long(255))), "incomplete")
    assert.strictEqual(failureOf(message(1, 80, [0, 0, 0, 1], []).concat(long(256))), "MalformedRequest")
  })

  it("never throws", () => {
    holds(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void Socks4.request(bytes)))
    holds(
      fc.property(
        fc.uint8Array({ maxLength: 600 }),
        (bytes) => void Socks4.request(Uint8Array.of(4, 1, ...bytes))
      )
    )
  })

  it("replies in eight bytes, the first of them 0, with zeros for an IPv6 address", () => {
    const reply = (address: string) =>
      hex(Socks4.reply(0x5a, NetAddress.inetAddressFromStringUnsafe(address)))
    assert.strictEqual(reply("192.0.2.1:1080"), "00 5a 04 38 c0 00 02 01")
    assert.strictEqual(reply("[::ffff:192.0.2.1]:1080"), "00 5a 04 38 c0 00 02 01")
    assert.strictEqual(reply("[2001:db8::1]:1080"), "00 5a 04 38 00 00 00 00")
  })
})
