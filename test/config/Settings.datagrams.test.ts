/**
 * The settings of UDP ASSOCIATE, as they are written.
 */
import { assert, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import { table } from "../../src/cli/Settings.ts"

it.each([
  ["40000-40999", [40_000, 40_999]],
  ["1-65535", [1, 65_535]],
  ["5-5", [5, 5]],
  ["any", "any"]
])("takes %s for ports", (text, expected) => {
  assert.deepStrictEqual<unknown>(Option.getOrThrow(table.udpPorts.read(text)), expected)
})

it.each(["", "0-5", "5-4", "1-65536", "40000", "40000-", "-5", "a-b", "1-2-3", "0x1-0x2", " 1-2"])(
  "takes %j for no ports",
  (text) => {
    assert.isTrue(Option.isNone(table.udpPorts.read(text)))
  }
)

it("advertises addresses, IPv4 as IPv4, and no names", () => {
  const read = (text: string) => Option.getOrThrow(table.advertise.read(text))
  assert.strictEqual(read("bound"), "bound")
  for (const text of ["192.0.2.9", "::ffff:192.0.2.9"]) {
    assert.strictEqual(NetAddress.formatIp(read(text) as NetAddress.IpAddress), "192.0.2.9")
  }
  for (const text of ["", "proxy.example", "192.0.2.9:1080", "[::1]"]) {
    assert.isTrue(Option.isNone(table.advertise.read(text)))
  }
})
