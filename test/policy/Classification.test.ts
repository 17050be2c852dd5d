/**
 * Which addresses are special, and by which document: held against the ranges
 * written out once more, on both sides of each of their edges.
 */
import { assert, describe, it } from "@effect/vitest"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as fc from "fast-check"
import * as IpBits from "../../src/base/IpBits.ts"
import { classify } from "../../src/policy/Classification.ts"
import { holds } from "../support/property.ts"

const found = (text: string) => classify(IpBits.ofAddress(NetAddress.ipFromStringUnsafe(text)))

// As the registries have them; the wide ones only, of those in one another.
const special = {
  v4: [
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24",
    "192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15",
    "198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 168.63.129.16/32"
  ],
  v6: ["::/3 2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20 4000::/2 8000::/1"],
  nobody: ["0.0.0.0/32 224.0.0.0/4 255.255.255.255/32 ::/128 ff00::/8"]
}
const networks = (lines: ReadonlyArray<string>) =>
  lines.flatMap((line) => line.split(" ")).map(IpNetwork.fromStringUnsafe)

const [v4, v6, nobody] = [networks(special.v4), networks(special.v6), networks(special.nobody)]
const nat64 = IpNetwork.fromStringUnsafe("64:ff9b::/96")

const isIn = (all: ReadonlyArray<IpNetwork.IpNetwork>, address: NetAddress.IpAddress) =>
  all.some((network) => IpNetwork.contains(network, address))

const bytesOf = (address: NetAddress.IpAddress): ReadonlyArray<number> =>
  NetAddress.isIpv4Address(address) ? NetAddress.ipv4ToOctets(address) : NetAddress.ipv6ToOctets(address)

const ofBytes = (bytes: ReadonlyArray<number>): NetAddress.IpAddress =>
  bytes.length === 4
    ? NetAddress.ipv4FromBytesUnsafe(Uint8Array.from(bytes))
    : NetAddress.ipv6FromBytesUnsafe(Uint8Array.from(bytes))

/** This many addresses further on. */
const beside = (address: NetAddress.IpAddress, distance: bigint): NetAddress.IpAddress => {
  const bytes = bytesOf(address)
  const value = BigInt.asUintN(
    bytes.length * 8,
    bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n) + distance
  )
  return ofBytes(bytes.map((_, index) => Number((value >> BigInt((bytes.length - 1 - index) * 8)) & 0xffn)))
}

const edges = (all: ReadonlyArray<IpNetwork.IpNetwork>): fc.Arbitrary<NetAddress.IpAddress> =>
  fc
    .tuple(fc.constantFrom(...all), fc.boolean(), fc.bigInt({ min: -3n, max: 3n }))
    .map(([network, isLast, distance]) =>
      beside(isLast ? IpNetwork.lastAddress(network) : IpNetwork.firstAddress(network), distance)
    )

const octets = (length: number) => fc.array(fc.nat(255), { minLength: length, maxLength: length })

const anyV4 = fc.oneof(edges([...v4, ...networks(["224.0.0.0/4 8.8.8.8/32"])]), octets(4).map(ofBytes))

/** Where an IPv4 address can stand in an IPv6 one, with anything around it. */
const forms: Record<string, (ip: ReadonlyArray<number>, other: ReadonlyArray<number>) => Array<number>> = {
  mapped: (ip) => [...Array(10).fill(0), 0xff, 0xff, ...ip],
  compatible: (ip) => [...Array(12).fill(0), ...ip],
  translated: (ip) => [...Array(8).fill(0), 0xff, 0xff, 0, 0, ...ip],
  NAT64: (ip) => [0, 0x64, 0xff, 0x9b, ...Array(8).fill(0), ...ip],
  "6to4": (ip, other) => [0x20, 0x02, ...ip, ...other.slice(0, 10)],
  "Teredo server": (ip, other) => [0x20, 0x01, 0, 0, ...ip, ...other.slice(0, 8)],
  "Teredo client": (ip, other) => [0x20, 0x01, 0, 0, ...other.slice(0, 8), ...ip.map((byte) => byte ^ 0xff)],
  ISATAP: (ip, other) => [0x26, 0x06, ...other.slice(0, 6), 0, 0, 0x5e, 0xfe, ...ip],
  "ISATAP, universal": (ip, other) => [0x26, 0x06, ...other.slice(0, 6), 2, 0, 0x5e, 0xfe, ...ip]
}

const isClosed = (address: NetAddress.IpAddress): boolean => found(NetAddress.formatIp(address)) !== undefined

describe("Classification", () => {
  it("knows every edge of IPv4's ranges", () => {
    holds(
      fc.property(anyV4, (address) => {
        assert.strictEqual(isClosed(address), isIn([...v4, ...nobody], address))
      }),
      { numRuns: 1000 }
    )
  })

  it("knows every edge of IPv6's ranges", () => {
    holds(
      fc.property(fc.oneof(edges([...v6, nat64]), octets(16).map(ofBytes)), (address) => {
        const low = bytesOf(address).slice(12)
        const expected = isIn([nat64], address) ? isIn([...v4, ...nobody], ofBytes(low)) : isIn(v6, address)
        assert.strictEqual(isClosed(address), expected)
      }),
      { numRuns: 1000 }
    )
  })

  for (const [name, form] of Object.entries(forms)) {
    it(`finds IPv4 in IPv6: ${name}`, () => {
      holds(
        fc.property(anyV4, octets(10), (inner, other) => {
          const outer = ofBytes(form(bytesOf(inner), other))
          const isOpen = !isIn([...v4, ...nobody], inner) && (!isIn(v6, outer) || isIn([nat64], outer))
          assert.strictEqual(isClosed(outer), !isOpen)
        }),
        { numRuns: 500 }
      )
    })
  }

  it("distinguishes addresses of no host from other special addresses", () => {
    holds(
      fc.property(fc.oneof(anyV4, edges(nobody), edges(v6)), (address) => {
        const kind = found(NetAddress.formatIp(address))?.kind
        // Two of a tunnel's addresses have one inside that nobody has.
        if (isIn(networks(["2001::/32 2002::/16 ::/96"]), address)) return
        assert.strictEqual(kind === "nobody", isIn(nobody, address))
      }),
      { numRuns: 1000 }
    )
  })

  it.each([
    ["10.0.0.5", "private (RFC 1918)"],
    ["127.0.0.1", "loopback (RFC 1122)"],
    ["0.0.0.0", "unspecified (RFC 1122)"],
    ["0.0.0.1", "of this network (RFC 791)"],
    ["100.64.0.1", "a provider's own (RFC 6598)"],
    ["192.0.0.9", "a NAT's control (RFC 7723)"],
    ["255.255.255.255", "broadcast (RFC 919)"],
    ["239.1.1.1", "multicast (RFC 5771)"],
    ["240.0.0.1", "reserved (RFC 1112)"],
    ["::1", "loopback (RFC 4291)"],
    ["::", "unspecified (RFC 4291)"],
    ["fd12::1", "private (RFC 4193)"],
    ["fe80::1", "link-local (RFC 4291)"],
    ["200::1", "reserved (RFC 4291)"],
    ["2001:1::1", "a NAT's control (RFC 7723)"],
    ["169.254.169.254", "the metadata service of AWS, Google Cloud, Azure and others"],
    ["168.63.129.16", "the metadata service of Azure"],
    ["100.100.100.200", "the metadata service of Alibaba Cloud"],
    ["fd00:ec2::254", "the metadata service of AWS"],
    ["fd00:ec2::23", "the metadata service of AWS EKS"],
    ["fd00:ec2::", "the metadata service of AWS"],
    ["fd00:ec2:ffff:ffff:ffff:ffff:ffff:ffff", "the metadata service of AWS"],
    ["fd00:ec1:ffff:ffff:ffff:ffff:ffff:ffff", "private (RFC 4193)"],
    ["fd00:ec3::", "private (RFC 4193)"],
    ["fd00:c1::a9fe:a9fe", "the metadata service of Oracle Cloud"],
    ["fd00:c1::a9fe:a9ff", "private (RFC 4193)"],
    ["64:ff9b::a00:5", "an address behind a translator (RFC 6052) that is private (RFC 1918)"],
    ["64:ff9b:1:a00:0:500::", "a translator's (RFC 8215)"],
    ["2002:a00:5::1", "an address at the end of a tunnel (RFC 3056) that is private (RFC 1918)"],
    ["2002:808:808::1", "a tunnel's (RFC 3056)"],
    [
      "2001:0:808:808:0:0:f5ff:fffa",
      "an address at the end of a tunnel (RFC 4380) that is private (RFC 1918)"
    ],
    ["2606::5efe:a00:5", "an address at the end of a tunnel (RFC 5214) that is private (RFC 1918)"],
    ["fe80::5efe:808:808", "link-local (RFC 4291)"],
    ["ff02::5efe:a00:5", "multicast (RFC 4291)"],
    // Of two addresses inside, whichever it is that is worse.
    [
      "2002:5db8:d822:1:0:5efe:a05:505",
      "an address at the end of a tunnel (RFC 5214) that is private (RFC 1918)"
    ],
    [
      "2002:a05:505:1:200:5efe:5db8:d822",
      "an address at the end of a tunnel (RFC 3056) that is private (RFC 1918)"
    ],
    [
      "2002:a05:505:1:0:5efe:a9fe:a9fe",
      "an address at the end of a tunnel (RFC 5214) that is the metadata service of " +
        "AWS, Google Cloud, Azure and others"
    ],
    [
      "2001:0:808:808:0:5efe:7f00:1",
      "an address at the end of a tunnel (RFC 5214) that is loopback (RFC 1122)"
    ],
    ["64:ff9b:1::5efe:a05:505", "an address at the end of a tunnel (RFC 5214) that is private (RFC 1918)"]
  ])("%s is %s", (text, is) => {
    assert.strictEqual(found(text)?.is, is)
  })

  it.each([
    ["8.8.8.8"],
    ["1.1.1.1"],
    ["172.32.0.1"],
    ["2606:4700:4700::1111"],
    ["64:ff9b::808:808"],
    ["2606::5efe:808:808"]
  ])("%s is an ordinary address", (text) => {
    assert.strictEqual(found(text), undefined)
  })

  const metadata = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16"]
  it.each(metadata)("%s is metadata in every form", (text) => {
    const inner = bytesOf(NetAddress.ipFromStringUnsafe(text))
    for (const [name, form] of Object.entries(forms)) {
      const outer = NetAddress.formatIp(ofBytes(form(inner, [8, 8, 8, 8, 1, 1, 1, 1, 1, 1])))
      assert.strictEqual(found(outer)?.kind, "metadata", name)
    }
    const [a, b, c, d] = inner as [number, number, number, number]
    for (const local of [
      [a, b, 0, c, d, 0, 0, 0, 0, 0],
      [0, a, 0, b, c, d, 0, 0, 0, 0],
      [0, 0, 0, a, b, c, d, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, a, b, c, d]
    ]) {
      const outer = NetAddress.formatIp(ofBytes([0, 0x64, 0xff, 0x9b, 0, 1, ...local]))
      assert.strictEqual(found(outer)?.kind, "metadata", outer)
    }
  })
})
