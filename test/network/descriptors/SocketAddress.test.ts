import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as fc from "fast-check"
import * as Memory from "../../../src/network/descriptors/Memory.ts"
import * as SocketAddress from "../../../src/network/descriptors/SocketAddress.ts"
import { holds } from "../../support/property.ts"

const region = () => Memory.cut(new ArrayBuffer(Memory.size), 0).address

const ports = fc.integer({ min: 0, max: 65_535 })

describe("the addresses of sockets", () => {
  it("are read as they were written", () => {
    const at = region()
    holds(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), ports, (text, port) => {
        const address = NetAddress.ipFromStringUnsafe(text)
        SocketAddress.write(at, address, port)
        assert.deepStrictEqual(
          SocketAddress.read(at),
          NetAddress.inetAddressUnsafe(NetAddress.toCanonical(address), port)
        )
      })
    )
  })

  it("are laid out as the kernel has them", () => {
    const at = region()
    const size = SocketAddress.write(at, NetAddress.ipFromStringUnsafe("192.0.2.1"), 0x1234)
    assert.strictEqual(at.bytes.subarray(0, size).toString("hex"), "02001234c00002010000000000000000")
    const size6 = SocketAddress.write(at, NetAddress.ipFromStringUnsafe("2001:db8::1"), 0x1234)
    assert.strictEqual(
      at.bytes.subarray(0, size6).toString("hex"),
      "0a0012340000000020010db800000000000000000000000100000000"
    )
  })

  it("are paths, which end with a zero and are not too long", () => {
    const at = region()
    const size = SocketAddress.writePath(at, "/run/a")
    assert.strictEqual(at.bytes.subarray(0, size).toString("hex"), "01002f72756e2f6100")
    assert.strictEqual(SocketAddress.writePath(at, "/".repeat(107)), 110)
    assert.isUndefined(SocketAddress.writePath(at, "/".repeat(108)))
    assert.isUndefined(SocketAddress.writePath(at, "/run/a\0b"))
  })
})
