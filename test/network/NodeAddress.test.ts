import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import { fromNode } from "../../src/network/NodeAddress.ts"

describe("an address of Node", () => {
  for (const [given, expected] of [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8::1", "2001:db8::1"],
    ["fe80::1%eth0", "fe80::1"]
  ] as const) {
    it(`${given} is ${expected}`, () => {
      const { address, port } = fromNode(given, 443)
      assert.deepStrictEqual([NetAddress.formatIp(address), port], [expected, 443])
    })
  }
})
