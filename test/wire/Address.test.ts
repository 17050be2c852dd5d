/**
 * RFC 1928 §5: addresses of all types, in messages that arrive in pieces.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as Address from "../../src/wire/Address.ts"
import { isIncomplete } from "../../src/wire/Decoder.ts"
import * as Target from "../../src/wire/Target.ts"
import { holds } from "../support/property.ts"

const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

const port = fc.nat({ max: 0xffff })

/** The target in a message, and the number of bytes up to its end. */
const decoded = (bytes: Uint8Array) => {
  const { value, size } = Result.getOrThrow(Address.decode(bytes))
  return [Target.format(Result.getOrThrow(value)), size] as const
}

describe("an address in a message", () => {
  it("is decoded as it was encoded, with the size of the message", () => {
    holds(
      fc.property(fc.oneof(octets(4), octets(16)), port, (ip, port) => {
        const address =
          ip.length === 4 ? NetAddress.ipv4FromBytesUnsafe(ip) : NetAddress.ipv6FromBytesUnsafe(ip)
        const bytes = Address.message(5, 1, 0, NetAddress.inetAddressUnsafe(address, port))
        assert.deepStrictEqual([...bytes.subarray(0, 3)], [5, 1, 0])
        const canonical = NetAddress.toCanonical(address)
        const expected = { host: canonical, port: port === 0 ? 1 : port }
        if (port === 0) bytes[bytes.length - 1] = 1
        assert.deepStrictEqual(decoded(bytes), [Target.format(expected), bytes.length])
      })
    )
  })

  it("is incomplete before its last byte, whatever follows", () => {
    holds(
      fc.property(octets(4), fc.nat({ max: 9 }), (ip, cut) => {
        const bytes = Uint8Array.of(5, 1, 0, 1, ...ip, 0, 80, 0xff, 0xff)
        assert.isTrue(Result.isFailure(Address.decode(bytes.subarray(0, cut))))
        assert.isTrue(isIncomplete(Result.getOrThrow(Result.flip(Address.decode(bytes.subarray(0, cut))))))
        assert.strictEqual(decoded(bytes)[1], 10)
      })
    )
  })

  it("is a name of the given length", () => {
    const bytes = Uint8Array.of(5, 1, 0, 3, 4, ...new TextEncoder().encode("host"), 0x01, 0xbb, 0x58)
    assert.deepStrictEqual(decoded(bytes), ["host:443", 11])
  })

  it("of another type has no known end", () => {
    const error = Result.getOrThrow(Result.flip(Address.decode(Uint8Array.of(5, 1, 0, 2))))
    assert.include(error, { _tag: "AddressTypeNotSupported", addressType: 2 })
  })

  it("is written as IPv4 when it is IPv4 in IPv6 form", () => {
    const mapped = NetAddress.inetAddressUnsafe(NetAddress.ipFromStringUnsafe("::ffff:192.0.2.1"), 80)
    assert.deepStrictEqual([...Address.message(5, 0, 0, mapped)], [5, 0, 0, 1, 192, 0, 2, 1, 0, 80])
  })
})
