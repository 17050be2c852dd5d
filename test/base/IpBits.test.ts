/**
 * Addresses and networks as integers, compared with those of `effect/net`.
 */
import { assert, describe, it } from "@effect/vitest"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as fc from "fast-check"
import * as IpBits from "../../src/base/IpBits.ts"
import { holds } from "../support/property.ts"

const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

const ipOf = (bytes: Uint8Array): NetAddress.IpAddress =>
  bytes.length === 4 ? NetAddress.ipv4FromBytesUnsafe(bytes) : NetAddress.ipv6FromBytesUnsafe(bytes)

const ip = fc.oneof(octets(4), octets(16)).map(ipOf)

/** These bytes up to this bit, and zeros. */
const masked = (bytes: Uint8Array, length: number) =>
  bytes.map((byte, i) => byte & (0xff00 >> Math.max(0, Math.min(8, length - i * 8))))

/** A network, and an address that is often in it: some bits of its own are turned. */
const pair = fc
  .tuple(ip, fc.nat({ max: 128 }), fc.nat({ max: 127 }), fc.boolean())
  .map(([address, length, at, isOther]) => {
    const bytes = NetAddress.isIpv4Address(address)
      ? Uint8Array.from(NetAddress.ipv4ToOctets(address))
      : Uint8Array.from(NetAddress.ipv6ToOctets(address))
    const prefixLength = Math.min(length, bytes.length * 8)
    const network = IpNetwork.makeUnsafe(ipOf(masked(bytes, prefixLength)), prefixLength)
    const turned = at % (bytes.length * 8)
    if (isOther) bytes[turned >> 3]! ^= 0x80 >> (turned & 7)
    const other = ipOf(bytes)
    return { network, other }
  })

describe("a network as bits", () => {
  it("contains its addresses", () => {
    holds(
      fc.property(pair, ({ network, other }) => {
        assert.strictEqual(
          IpBits.contains(IpBits.prefix(network), IpBits.ofAddress(other)),
          IpNetwork.contains(network, other)
        )
      })
    )
  })

  it("contains no address of the other family", () => {
    holds(
      fc.property(octets(4), (bytes) => {
        const v4 = IpBits.ofAddress(NetAddress.ipv4FromBytesUnsafe(bytes))
        const v6 = IpBits.ofAddress(
          NetAddress.ipv6FromBytesUnsafe(Uint8Array.of(...new Uint8Array(12), ...bytes))
        )
        const [all4, all6] = ["0.0.0.0/0", "::/0"].map((text) =>
          IpBits.prefix(IpNetwork.fromStringUnsafe(text))
        )
        assert.deepStrictEqual(
          [all4, all6].map((all) => IpBits.contains(all!, v4)),
          [true, false]
        )
        assert.deepStrictEqual(
          [all4, all6].map((all) => IpBits.contains(all!, v6)),
          [false, true]
        )
      })
    )
  })
})
