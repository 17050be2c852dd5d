/**
 * Whom a client's failures are held against.
 */
import { assert, it } from "@effect/vitest"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as ClientNetwork from "../../src/base/ClientNetwork.ts"

for (const [address, network] of [
  ["203.0.113.7", "203.0.113.7/32"],
  ["::ffff:203.0.113.7", "203.0.113.7/32"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"],
  ["2001:db8:1:3::1", "2001:db8:1:3::/64"]
] as const) {
  it(`${address} belongs to ${network}`, () => {
    const parsed = NetAddress.ipFromStringUnsafe(address)
    assert.strictEqual(IpNetwork.format(ClientNetwork.of(parsed)), network)
    assert.strictEqual(ClientNetwork.nameOf(parsed), network)
  })
}

it("finds an address in networks in each of its forms", () => {
  const networks = [IpNetwork.fromStringUnsafe("10.0.0.0/8")]
  const isIn = (text: string) =>
    ClientNetwork.isIn(NetAddress.inetAddressUnsafe(NetAddress.ipFromStringUnsafe(text), 1), networks)
  assert.isTrue(isIn("10.1.2.3"))
  assert.isTrue(isIn("::ffff:10.1.2.3"))
  assert.isFalse(isIn("11.1.2.3"))
  assert.isFalse(ClientNetwork.isIn(NetAddress.unixPathAddress("/run/socks"), networks))
})
