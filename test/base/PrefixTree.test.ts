/**
 * That networks are found by their bits as they are by asking each of them, and
 * what several of them hold together.
 */
import { assert, describe, it } from "@effect/vitest"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as fc from "fast-check"
import * as PrefixTree from "../../src/base/PrefixTree.ts"
import * as CidrCover from "../../src/policy/CidrCover.ts"
import { holds } from "../support/property.ts"
import { universe } from "../support/rules.ts"

/** Of few different bytes, so that many are in one another. */
const address = fc.oneof(
  fc
    .array(fc.constantFrom(0, 1, 128, 255), { minLength: 4, maxLength: 4 })
    .map((bytes): NetAddress.IpAddress => NetAddress.ipv4FromBytesUnsafe(Uint8Array.from(bytes))),
  fc
    .array(fc.constantFrom(0, 128, 255), { minLength: 16, maxLength: 16 })
    .map((bytes): NetAddress.IpAddress => NetAddress.ipv6FromBytesUnsafe(Uint8Array.from(bytes)))
)

const network = fc
  .tuple(address, fc.nat(128))
  .map(([address, length]) =>
    IpNetwork.fromAddressUnsafe(address, Math.min(length, NetAddress.width(address)))
  )

const networks = fc.uniqueArray(network, { selector: IpNetwork.format, maxLength: 40 })

const treeOf = (networks: ReadonlyArray<IpNetwork.IpNetwork>) => {
  const tree = new PrefixTree.PrefixTree()
  for (const [position, { address, prefixLength }] of networks.entries()) {
    tree.add(PrefixTree.wordsOf(address), prefixLength, position)
  }
  return tree
}

const found = (networks: ReadonlyArray<IpNetwork.IpNetwork>, address: NetAddress.IpAddress) => {
  const positions: Array<number> = []
  treeOf(networks).match(address, positions)
  return positions
}

describe("PrefixTree", () => {
  it("finds the same networks as a scan, the widest first", () => {
    holds(
      fc.property(networks, address, (networks, other) => {
        for (const address of [other, ...networks.map(({ address }) => address)]) {
          const expected = networks
            .map((network, position) => ({ network, position }))
            .filter(({ network }) => IpNetwork.contains(network, address))
            .sort((a, b) => a.network.prefixLength - b.network.prefixLength)
            .map(({ position }) => position)
          assert.deepStrictEqual(found(networks, address), expected)
        }
      }),
      { numRuns: 500 }
    )
  })

  it("finds nothing in an empty tree, and nothing of the other family", () => {
    const all = ["0.0.0.0/0", "::/0"].map(IpNetwork.fromStringUnsafe)
    assert.deepStrictEqual(found([], NetAddress.ipv4Loopback), [])
    assert.deepStrictEqual(found(all, NetAddress.ipv4Loopback), [0])
    assert.deepStrictEqual(found(all, NetAddress.ipv6Loopback), [1])
  })

  it("finds one of many", () => {
    const networks = Array.from({ length: 65_536 }, (_, i) =>
      IpNetwork.fromStringUnsafe(`${i >> 8}.${i & 255}.0.0/16`)
    )
    const tree = treeOf(networks)
    for (let i = 0; i < 65_536; i += 7) {
      const positions: Array<number> = []
      tree.match(NetAddress.ipFromStringUnsafe(`${i >> 8}.${i & 255}.1.2`), positions)
      assert.deepStrictEqual(positions, [i])
    }
  })
})

describe("CidrCover", () => {
  const blockOf = ({ address, prefixLength }: IpNetwork.IpNetwork): CidrCover.Block => ({
    words: PrefixTree.wordsOf(address),
    length: prefixLength
  })
  const block = (text: string) => blockOf(IpNetwork.fromStringUnsafe(text))

  it.each([
    [["10.0.0.0/8"], "10.1.0.0/16", true],
    [["10.0.0.0/8"], "10.0.0.0/8", true],
    [["10.0.0.0/9", "10.128.0.0/9"], "10.0.0.0/8", true],
    [["10.0.0.0/9", "10.128.0.0/10", "10.192.0.0/10"], "10.0.0.0/8", true],
    [["10.0.0.0/9", "10.128.0.0/10"], "10.0.0.0/8", false],
    [["10.0.0.0/8"], "0.0.0.0/0", false],
    [["0.0.0.0/1", "128.0.0.0/1"], "0.0.0.0/0", true],
    [["::/0"], "10.0.0.0/8", false],
    [["::/1", "8000::/1"], "::/0", true],
    [["fd00::/64", "fd00:0:0:1::/64"], "fd00::/63", true],
    [["fd00::/64", "fd00:0:0:2::/64"], "fd00::/63", false],
    [[], "10.0.0.0/8", false]
  ])("%j hold all of %s: %s", (networks, whole, expected) => {
    assert.strictEqual(CidrCover.covers(networks.map(block), block(whole)), expected)
  })

  it("agrees with a test of every address", () => {
    const short = network.map(({ address, prefixLength }) =>
      IpNetwork.fromAddressUnsafe(address, prefixLength % 5)
    )
    holds(
      fc.property(fc.array(short, { maxLength: 12 }), short, (networks, whole) => {
        const expected = universe
          .filter((address) => IpNetwork.contains(whole, address))
          .every((address) => networks.some((network) => IpNetwork.contains(network, address)))
        assert.strictEqual(CidrCover.covers(networks.map(blockOf), blockOf(whole)), expected)
      }),
      { numRuns: 300 }
    )
  })
})
