/**
 * Which addresses are set aside, at both ends of every range.
 */
import { assert, describe, it } from "@effect/vitest"
import * as IpBits from "../../src/base/IpBits.ts"
import * as SpecialPurpose from "../../src/policy/SpecialPurpose.ts"
import { ip } from "../support/rules.ts"

const nameOf = (address: string) => SpecialPurpose.rangeOf(IpBits.ofAddress(ip(address)))?.name

describe("an address", () => {
  for (const [first, last, name] of [
    ["0.0.0.1", "0.255.255.255", "This network"],
    ["10.0.0.0", "10.255.255.255", "Private-Use"],
    ["100.64.0.0", "100.127.255.255", "Shared Address Space"],
    ["127.0.0.0", "127.255.255.255", "Loopback"],
    ["169.254.0.0", "169.254.255.255", "Link Local"],
    ["172.16.0.0", "172.31.255.255", "Private-Use"],
    ["192.0.0.11", "192.0.0.169", "IETF Protocol Assignments"],
    ["192.168.0.0", "192.168.255.255", "Private-Use"],
    ["198.18.0.0", "198.19.255.255", "Benchmarking"],
    ["224.0.0.0", "239.255.255.255", "Multicast"],
    ["240.0.0.0", "255.255.255.254", "Reserved"],
    ["fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "Unique-Local"],
    ["fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "Link-Local Unicast"],
    ["fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "Site-Local Unicast"],
    ["ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "Multicast"],
    ["2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "TEREDO"],
    ["2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4"],
    ["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "Documentation"]
  ] as const) {
    it(`from ${first} to ${last} is of ${name}`, () => {
      assert.deepStrictEqual([nameOf(first), nameOf(last)], [name, name])
    })
  }

  it("has the narrowest of its ranges", () => {
    assert.deepStrictEqual(
      ["0.0.0.0", "192.0.0.8", "192.0.0.9", "255.255.255.255", "::", "::1", "2001:1::1"].map(nameOf),
      [
        "This host on this network",
        "IPv4 dummy address",
        "Port Control Protocol Anycast",
        "Limited Broadcast",
        "Unspecified Address",
        "Loopback Address",
        "Port Control Protocol Anycast"
      ]
    )
  })

  it("next to a range is an ordinary one", () => {
    for (const address of [
      ...[
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0"
      ],
      ...["169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255"],
      ...["192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"],
      ...["2001:200::1", "2000::", "2003::", "3ffe:ffff::", "64:ff9b::808:808"]
    ]) {
      assert.strictEqual(nameOf(address), undefined, address)
    }
  })

  it("of IPv6 that is not assigned is reserved", () => {
    for (const address of ["1::", "1fff::", "4000::", "8000::", "fbff::"]) {
      assert.strictEqual(nameOf(address), "Reserved by IETF", address)
    }
  })
})
