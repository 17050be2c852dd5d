/**
 * Which hosts become a target, in which form, and the many that do not.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as Target from "../../src/wire/Target.ts"
import { printable } from "../../src/wire/Text.ts"
import { fromHex, utf8 } from "../support/bytes.ts"
import { holds } from "../support/property.ts"

const parsed = (host: string) => Result.map(Target.fromName(utf8(host), 80), Target.format)

const refused = (result: Result.Result<unknown, { readonly _tag: string }>) => {
  assert.isTrue(Result.isFailure(result), `became ${JSON.stringify(result)}`)
  if (Result.isFailure(result)) assert.strictEqual(result.failure._tag, "InvalidTarget")
}

const names: Record<string, string> = {
  "example.com": "example.com",
  "EXAMPLE.Com": "example.com",
  "example.com.": "example.com",
  localhost: "localhost",
  a: "a",
  "1a.2b": "1a.2b",
  "1.2.3.com": "1.2.3.com",
  "_srv._tcp.example.com": "_srv._tcp.example.com",
  "under_score.example": "under_score.example",
  "bücher.example": "xn--bcher-kva.example",
  "BÜCHER.example": "xn--bcher-kva.example",
  "xn--bcher-kva.example": "xn--bcher-kva.example",
  "例え.テスト": "xn--r8jz45g.xn--zckzah",
  "example。com": "example.com",
  "exam\u00adple.com": "example.com",
  [`${"a".repeat(63)}.example`]: `${"a".repeat(63)}.example`,
  [`${"a.".repeat(126)}a`]: `${"a.".repeat(126)}a`
}

const addresses: Record<string, string> = {
  "1.2.3.4": "1.2.3.4:80",
  "255.255.255.255": "255.255.255.255:80",
  "::1": "[::1]:80",
  "::": "[::]:80",
  "2001:DB8::1": "[2001:db8::1]:80",
  "::ffff:1.2.3.4": "1.2.3.4:80",
  "::ffff:102:304": "1.2.3.4:80"
}

const hostile = [
  "",
  ".",
  "..",
  ".example.com",
  "example..com",
  "example.com..",
  "127.0.0.1\0.example.com",
  "example.com\0",
  "\0",
  "example.com\r\nHost: other",
  "example\n.com",
  "exam\tple.com",
  "example\x1b[31m.com",
  "example\x7f.com",
  "exam ple.com",
  " example.com",
  "example.com ",
  "exam%70le.com",
  "example.com%00",
  "example.com/",
  "example.com/path",
  "http://example.com",
  "user@example.com",
  "example.com:80",
  "example.com#",
  "example.com?",
  "exam\\ple.com",
  "ex*mple.com",
  "-example.com",
  "example-.com",
  "127.1",
  "127.0.1",
  "1.2.3",
  "1.2.3.4.5",
  "0",
  "1",
  "0x7f.1",
  "0x7f000001",
  "0x",
  "0X7F.0.0.1",
  "2130706433",
  "017700000001",
  "0177.0.0.1",
  "127.0.0.01",
  "256.1.1.1",
  "1.2.3.4.",
  "example.1",
  "example.0x1",
  "example.1.",
  "１２７.０.０.１",
  "127。1",
  "⑫７.1",
  "[::1]",
  "[1.2.3.4]",
  "::1%lo",
  "fe80::1%eth0",
  "fe80::1%1",
  ":::",
  "1::2::3",
  "::1.2.3",
  "12345::1",
  `${"a".repeat(64)}.example`,
  `${"a.".repeat(127)}a`,
  "a".repeat(255),
  "exam\u202eple.com",
  "exam\ufeffple.com\0"
]

describe("Target", () => {
  it.each(Object.entries(names))("takes the name %j as %s", (host, expected) => {
    assert.deepStrictEqual(parsed(host), Result.succeed(`${expected}:80`))
  })

  it.each(Object.entries(addresses))("takes %j for the address it is", (host, expected) => {
    assert.deepStrictEqual(parsed(host), Result.succeed(expected))
    assert.isTrue(NetAddress.isIpAddress(Result.getOrThrow(Target.fromName(utf8(host), 80)).host))
  })

  // The names of tests go to a terminal too.
  it.each(hostile.map((host) => [printable(host, 40), host]))("refuses %s", (_, host) =>
    refused(parsed(host))
  )

  it.each([
    ["a stray continuation", "61 80"],
    ["a start without its rest", "61 c3"],
    ["Latin-1", "62 fc 63 68 65 72"],
    ["an overlong dot", "61 c0 ae 62"],
    ["an overlong slash", "61 e0 80 af 62"],
    ["an overlong NUL", "61 c0 80"],
    ["a surrogate", "61 ed a0 80"],
    ["what is beyond Unicode", "61 f4 90 80 80"],
    ["ff", "61 ff"]
  ])("refuses UTF-8 that is none: %s", (_, bytes) => refused(Target.fromName(fromHex(bytes), 80)))

  it("takes every port, and leaves port 0 to the commands", () => {
    for (const port of [0, 1, 65_535]) {
      assert.strictEqual(Result.getOrThrow(Target.fromName(utf8("a"), port)).port, port)
    }
  })

  it("takes an IPv4 address in IPv6 form as IPv4", () => {
    const mapped = fromHex("00 00 00 00 00 00 00 00 00 00 ff ff 7f 00 00 01")
    assert.strictEqual(Target.format(Result.getOrThrow(Target.fromAddress(mapped, 80))), "127.0.0.1:80")
  })

  it("makes an address, a plain name or a printable refusal of any bytes, and never throws", () => {
    const ascii = fc.uint8Array({ max: 127, maxLength: 255 })
    const likely = fc.string({ unit: fc.constantFrom(..."0127xXaF.:-_[]%。１é\0"), maxLength: 40 }).map(utf8)
    holds(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 255 }), ascii, likely), (bytes) => {
        const target = Target.fromName(bytes, 80)
        if (Result.isFailure(target)) {
          assert.match(target.failure.target, /^[^\p{C}]*$/u)
          assert.match(target.failure.reason, /^[^\p{C}]*$/u)
        } else if (!NetAddress.isIpAddress(target.success.host)) {
          const { host } = target.success
          assert.match(host, /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_-]{1,63}$/)
          assert.isAtMost(host.length, 253)
          assert.notMatch(host, /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/)
        }
      }),
      { numRuns: 300 }
    )
  })
})
