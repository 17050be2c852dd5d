/**
 * PROXY headers: what the specification settles, and that no bytes surprise the decoder.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { isIncomplete } from "../../src/wire/Decoder.ts"
import { header } from "../../src/wire/ProxyProtocol.ts"
import { proxyV1, proxyV2 } from "../support/messages.ts"
import { holds } from "../support/property.ts"

/** What becomes of these bytes: an address, "own" for the connection's own, "more", or why they are wrong. */
const read = (bytes: Iterable<number>): string => {
  const decoded = header(Uint8Array.from(bytes))
  if (Result.isFailure(decoded)) return isIncomplete(decoded.failure) ? "more" : decoded.failure.reason
  const { value } = decoded.success
  return value === undefined ? "own" : NetAddress.formatInet(value)
}

const ipv4 = [192, 0, 2, 1, 198, 51, 100, 1, 0xc3, 0x50, 0x04, 0x38]
const ipv6 = [...new Array(15).fill(0), 1, ...new Array(15).fill(0), 2, 0xc3, 0x50, 0x04, 0x38]
const mapped = [...new Array(10).fill(0), 0xff, 0xff, 192, 0, 2, 1, ...new Array(16).fill(0), 0, 80, 0, 80]

describe("version 1", () => {
  const cases: ReadonlyArray<readonly [line: string, becomes: string]> = [
    ["PROXY TCP4 192.0.2.1 198.51.100.1 50000 1080", "192.0.2.1:50000"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 0 65535", "192.0.2.1:0"],
    ["PROXY TCP6 2001:db8::1 2001:db8::2 50000 1080", "[2001:db8::1]:50000"],
    ["PROXY TCP6 ::ffff:192.0.2.1 ::1 50000 1080", "192.0.2.1:50000"],
    ["PROXY UNKNOWN", "own"],
    ["PROXY UNKNOWN ffff::1 whatever 1 2 3", "own"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 50000", "it has not two addresses and two ports"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 50000 1080 1", "it has not two addresses and two ports"],
    ["PROXY TCP4  192.0.2.1 198.51.100.1 50000 1080", "it has not two addresses and two ports"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 65536 1080", "it has not two addresses and two ports"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 050 1080", "it has not two addresses and two ports"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 -1 1080", "it has not two addresses and two ports"],
    ["PROXY TCP4 2001:db8::1 2001:db8::2 50000 1080", "an address is not one of TCP4"],
    ["PROXY TCP6 192.0.2.1 198.51.100.1 50000 1080", "an address is not one of TCP6"],
    ["PROXY TCP4 192.0.2.01 198.51.100.1 50000 1080", "an address is not one of TCP4"],
    ["PROXY TCP4 2130706433 198.51.100.1 50000 1080", "an address is not one of TCP4"],
    ["PROXY TCP6 fe80::1%eth0 ::1 50000 1080", "an address is not one of TCP6"],
    ["PROXY UDP4 192.0.2.1 198.51.100.1 50000 1080", "its family is not TCP4, TCP6 or UNKNOWN"],
    ["PROXY tcp4 192.0.2.1 198.51.100.1 50000 1080", "its family is not TCP4, TCP6 or UNKNOWN"],
    ["PROXY ", "its family is not TCP4, TCP6 or UNKNOWN"]
  ]
  for (const [line, becomes] of cases) it(line, () => assert.strictEqual(read(proxyV1(line)), becomes))

  it("takes 107 bytes, and not one more", () => {
    const longest = `PROXY UNKNOWN ${"x".repeat(107 - 2 - 14)}`
    assert.strictEqual(proxyV1(longest).length, 107)
    assert.strictEqual(read(proxyV1(longest)), "own")
    assert.strictEqual(read(proxyV1(`${longest}x`)), "its line is longer than 107 bytes")
    assert.strictEqual(read(proxyV1(longest).slice(0, 106)), "more")
  })

  it("ends with CRLF, not with LF", () => {
    const line = new TextEncoder().encode("PROXY TCP4 192.0.2.1 198.51.100.1 50000 1080\n")
    assert.strictEqual(read(line), "more")
  })
})

describe("version 2", () => {
  const cases: ReadonlyArray<readonly [what: string, bytes: ReadonlyArray<number>, becomes: string]> = [
    ["TCP over IPv4", proxyV2(0x21, 0x11, ipv4), "192.0.2.1:50000"],
    ["TCP over IPv6", proxyV2(0x21, 0x21, ipv6), "[::1]:50000"],
    ["an IPv4 address in IPv6 form", proxyV2(0x21, 0x21, mapped), "192.0.2.1:80"],
    ["TLVs behind the addresses", proxyV2(0x21, 0x11, [...ipv4, 0x04, 0, 1, 7]), "192.0.2.1:50000"],
    ["LOCAL", proxyV2(0x20, 0x00, []), "own"],
    ["LOCAL, with a family and addresses", proxyV2(0x20, 0x11, ipv4), "own"],
    ["LOCAL, with a family there is none of", proxyV2(0x20, 0xff, []), "own"],
    ["an unspecified family", proxyV2(0x21, 0x00, [1, 2, 3]), "own"],
    ["a Unix-domain socket", proxyV2(0x21, 0x31, new Array(216).fill(0x2f)), "own"],
    ["UDP over IPv4, which this connection is not", proxyV2(0x21, 0x12, ipv4), "own"],
    ["IPv4 with an unspecified transport", proxyV2(0x21, 0x10, ipv4), "own"],
    ["a family there is none of", proxyV2(0x21, 0x41, ipv6), "its address family is unknown"],
    ["a transport there is none of", proxyV2(0x21, 0x13, ipv4), "its address family is unknown"],
    ["version 1 in binary", proxyV2(0x11, 0x11, ipv4), "its version or command is unknown"],
    ["version 3", proxyV2(0x31, 0x11, ipv4), "its version or command is unknown"],
    ["a command there is none of", proxyV2(0x22, 0x11, ipv4), "its version or command is unknown"],
    ["IPv4 cut short", proxyV2(0x21, 0x11, ipv4.slice(1)), "its body is shorter than its addresses"],
    ["IPv6 cut short", proxyV2(0x21, 0x21, ipv6.slice(1)), "its body is shorter than its addresses"],
    ["4096 bytes", proxyV2(0x21, 0x11, [...ipv4, ...new Array(4084).fill(0)]), "192.0.2.1:50000"],
    [
      "4097 bytes, at once",
      proxyV2(0x21, 0x11, new Array(4097).fill(0)).slice(0, 16),
      "its body is longer than 4096 bytes"
    ]
  ]
  for (const [what, bytes, becomes] of cases) it(what, () => assert.strictEqual(read(bytes), becomes))
})

describe("any header", () => {
  const octets = fc.uint8Array({ minLength: 4, maxLength: 4 })
  const port = fc.integer({ min: 0, max: 65_535 })
  const v1 = fc
    .tuple(octets, octets, port, port)
    .map(([from, to, ...ports]) => proxyV1(`PROXY TCP4 ${from.join(".")} ${to.join(".")} ${ports.join(" ")}`))
  const v2 = fc
    .tuple(octets, octets, port, port, fc.uint8Array({ maxLength: 64 }))
    .map(([from, to, fromPort, toPort, tlvs]) =>
      proxyV2(0x21, 0x11, [...from, ...to, fromPort >> 8, fromPort & 255, toPort >> 8, toPort & 255, ...tlvs])
    )

  it("has the same addresses in both versions", () =>
    holds(
      fc.property(octets, port, (from, fromPort) => {
        const text = `${from.join(".")}:${fromPort}`
        assert.strictEqual(read(proxyV1(`PROXY TCP4 ${from.join(".")} 192.0.2.1 ${fromPort} 1`)), text)
        const body = [...from, 192, 0, 2, 1, fromPort >> 8, fromPort & 255, 0, 1]
        assert.strictEqual(read(proxyV2(0x21, 0x11, body)), text)
      })
    ))

  it("is incomplete at every prefix, and leaves the bytes behind it", () =>
    holds(
      fc.property(fc.oneof(v1, v2), fc.uint8Array({ maxLength: 32 }), (bytes, rest) => {
        for (let size = 0; size < bytes.length; size++) assert.strictEqual(read(bytes.slice(0, size)), "more")
        const decoded = Result.getOrThrow(header(Uint8Array.from([...bytes, ...rest])))
        assert.strictEqual(decoded.size, bytes.length)
      })
    ))

  it("is valid, malformed or incomplete, and never incomplete beyond 4112 bytes", () =>
    holds(
      fc.property(fc.oneof(v1, v2), fc.uint8Array({ maxLength: 64 }), fc.nat(64), (bytes, noise, at) => {
        const spoilt = Uint8Array.from([...bytes.slice(0, at), ...noise, ...new Array(4200).fill(0)])
        assert.notStrictEqual(read(spoilt), "more")
      })
    ))

  it("is no message of another protocol", () => {
    for (const first of [0x04, 0x05, 0x16, 0x47]) assert.strictEqual(read([first]), "it is no PROXY header")
  })
})
