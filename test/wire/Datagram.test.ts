/**
 * The header of datagrams, for any bytes.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as Datagram from "../../src/wire/Datagram.ts"
import * as Target from "../../src/wire/Target.ts"
import { datagram } from "../support/messages.ts"
import { holds } from "../support/property.ts"

const bytes = (...numbers: ReadonlyArray<number>) => Uint8Array.from(numbers)

const v4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
const v6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((octets) => [...octets])
const name = fc.domain()
const port = fc.integer({ min: 1, max: 65_535 })
const data = fc.uint8Array({ maxLength: 300 })

/** Mostly bytes that get past the first look. */
const anything = fc
  .tuple(fc.uint8Array({ maxLength: 400 }), fc.option(fc.constantFrom(1, 3, 4)))
  .map(([noise, type]) => {
    if (type !== null && noise.length > 3) noise[3] = type
    return noise
  })

describe("Datagram", () => {
  it("never throws, and never finds a header longer than the bytes", () => {
    holds(
      fc.property(anything, (noise) => {
        const size = Datagram.headerSize(noise)
        assert.isAtMost(size, noise.length)
        // The two readers agree on what is an address.
        if (size > 0) Datagram.target(noise)
        else assert.isTrue(Result.isFailure(Datagram.target(noise)))
      })
    )
  })

  it("finds the data and the destination, whatever RSV and the data are", () => {
    holds(
      fc.property(fc.oneof(v4, v6, name), port, data, fc.nat(255), (host, port, data, rsv) => {
        const message = Uint8Array.from(datagram(host, port, data))
        message[0] = rsv
        const size = Datagram.headerSize(message)
        assert.deepStrictEqual(message.subarray(size), data)
        const target = Result.getOrThrow(Datagram.target(message))
        const expected =
          typeof host === "string"
            ? { host: host.toLowerCase(), port }
            : Result.getOrThrow(Target.fromAddress(Uint8Array.from(host), port))
        assert.strictEqual(Target.format(target), Target.format(expected as Target.Target))
      })
    )
  })

  it("reads the header it writes", () => {
    holds(
      fc.property(fc.oneof(v4, v6), port, (octets, port) => {
        const { host } = Result.getOrThrow(Target.fromAddress(Uint8Array.from(octets), port))
        const remote = NetAddress.inetAddressUnsafe(host as NetAddress.IpAddress, port)
        const header = Datagram.header(remote)
        assert.strictEqual(Datagram.headerSize(header), header.length)
        assert.strictEqual(Datagram.fragment(header), 0)
        assert.deepStrictEqual(Result.getOrThrow(Datagram.target(header)), { host, port })
      })
    )
  })

  it("takes an IPv4 address in IPv6 form as IPv4, in both directions", () => {
    const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1]
    const target = Result.getOrThrow(Datagram.target(Uint8Array.from(datagram(mapped, 53, []))))
    assert.strictEqual(Target.format(target), "192.0.2.1:53")
    const remote = NetAddress.inetAddressUnsafe(NetAddress.ipv6FromBytesUnsafe(Uint8Array.from(mapped)), 53)
    assert.deepStrictEqual([...Datagram.header(remote)], [0, 0, 0, 1, 192, 0, 2, 1, 0, 53])
  })

  it.each([
    ["nothing", bytes()],
    ["no ATYP", bytes(0, 0, 0)],
    ["an unknown ATYP", bytes(0, 0, 0, 2, 1, 1, 1, 1, 0, 53, 1)],
    ["half an IPv4 address", bytes(0, 0, 0, 1, 127, 0)],
    ["no port", bytes(0, 0, 0, 1, 127, 0, 0, 1, 0)],
    ["half an IPv6 address", bytes(0, 0, 0, 4, ...new Array(17).fill(0))],
    ["a name without its length", bytes(0, 0, 0, 3)],
    ["a name of no bytes", bytes(0, 0, 0, 3, 0, 0, 53, 1)],
    ["a name cut off", bytes(0, 0, 0, 3, 5, 97, 97, 97, 0, 53)]
  ])("has no header: %s", (_, message) => {
    assert.strictEqual(Datagram.headerSize(message), 0)
  })

  it("has no destination with port 0, or with an invalid name", () => {
    for (const message of [
      datagram("192.0.2.1", 0, []),
      datagram("a b", 53, []),
      datagram("127.1", 53, [])
    ]) {
      assert.isTrue(Result.isFailure(Datagram.target(Uint8Array.from(message))))
    }
  })
})
