/**
 * IPv4 addresses inside of IPv6 addresses, in every form that leads there.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as fc from "fast-check"
import * as EmbeddedIpv4 from "../../src/policy/EmbeddedIpv4.ts"
import { holds } from "../support/property.ts"
import { ip } from "../support/rules.ts"

const within = (address: string) => EmbeddedIpv4.within(ip(address)).map(NetAddress.formatIp)

const hex = (bytes: ReadonlyArray<number>) => bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")

/** The two groups of four bytes. */
const groups = (bytes: ReadonlyArray<number>) => `${hex(bytes.slice(0, 2))}:${hex(bytes.slice(2))}`

const octet = fc.nat({ max: 255 })
const octets = fc.tuple(octet, octet, octet, octet)

describe("an IPv4 address inside of IPv6", () => {
  const forms: Readonly<Record<string, (bytes: ReadonlyArray<number>) => string>> = {
    "mapped (RFC 4291)": (bytes) => `::ffff:${groups(bytes)}`,
    "translated (RFC 2765)": (bytes) => `::ffff:0:${groups(bytes)}`,
    "behind a translator (RFC 6052)": (bytes) => `64:ff9b::${groups(bytes)}`,
    "of 6to4 (RFC 3056)": (bytes) => `2002:${groups(bytes)}::1`,
    "a server of Teredo (RFC 4380)": (bytes) => `2001:0:${groups(bytes)}::1`,
    "a client of Teredo (RFC 4380)": (bytes) =>
      `2001:0:808:808:0:0:${groups(bytes.map((byte) => byte ^ 0xff))}`,
    "of ISATAP (RFC 5214)": (bytes) => `2606:4700::5efe:${groups(bytes)}`,
    "of ISATAP, universal (RFC 5214)": (bytes) => `2606:4700::200:5efe:${groups(bytes)}`,
    "behind a translator of 96 bits (RFC 8215)": (bytes) => `64:ff9b:1::${groups(bytes)}`,
    // RFC 6052 §2.2: around bits 64 to 71.
    "behind a translator of 48 bits (RFC 8215)": ([a, b, c, d]) =>
      `64:ff9b:1:${hex([a!, b!])}:${hex([0, c!])}:${hex([d!, 0])}::`,
    "behind a translator of 64 bits (RFC 8215)": ([a, b, c, d]) =>
      `64:ff9b:1:0:${hex([0, a!])}:${hex([b!, c!])}:${hex([d!, 0])}:0`
  }
  for (const [name, form] of Object.entries(forms)) {
    it(`is found: ${name}`, () => {
      holds(
        fc.property(octets, (bytes) => {
          assert.include(within(form(bytes)), bytes.join("."))
        })
      )
    })
  }

  it("is found in both places of an address that has two", () => {
    assert.includeMembers(within("2002:5db8:d822:1:0:5efe:a05:505"), ["93.184.216.34", "10.5.5.5"])
  })

  it("is not in ordinary addresses", () => {
    for (const address of ["2606:4700::1111", "::1", "::", "fd00::1", "10.0.0.1", "2606:4700::5eff:a00:1"]) {
      assert.deepStrictEqual(within(address), [], address)
    }
  })
})
