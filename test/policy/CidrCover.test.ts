/**
 * Whether networks together hold all of another, compared with a look at every
 * address of a small part of IPv4.
 */
import { assert, describe, it } from "@effect/vitest"
import * as IpNetwork from "effect/net/IpNetwork"
import * as fc from "fast-check"
import { wordsOf } from "../../src/base/PrefixTree.ts"
import * as CidrCover from "../../src/policy/CidrCover.ts"
import { holds } from "../support/property.ts"

/** Networks in 10.0.0.0/28: where each begins, and how many addresses it has. */
const network = fc
  .integer({ min: 28, max: 32 })
  .chain((length) =>
    fc
      .nat({ max: 2 ** (length - 28) - 1 })
      .map((at) => ({ first: at * 2 ** (32 - length), length, size: 2 ** (32 - length) }))
  )

const block = (text: string): CidrCover.Block => {
  const { address, prefixLength } = IpNetwork.fromStringUnsafe(text)
  return { words: wordsOf(address), length: prefixLength }
}

const blockOf = ({ first, length }: { readonly first: number; readonly length: number }) =>
  block(`10.0.0.${first}/${length}`)

describe("networks", () => {
  it("cover a network if they have all its addresses", () => {
    holds(
      fc.property(fc.array(network, { maxLength: 12 }), network, (some, whole) => {
        const held = new Set(
          some.flatMap(({ first, size }) => Array.from({ length: size }, (_, i) => first + i))
        )
        const all = Array.from({ length: whole.size }, (_, i) => whole.first + i)
        assert.strictEqual(
          CidrCover.covers(some.map(blockOf), blockOf(whole)),
          all.every((address) => held.has(address))
        )
      })
    )
  })

  it("of one family cover no address of the other", () => {
    const [ipv4, ipv6] = CidrCover.everything
    const halves = ["::/1", "8000::/1"].map((text) => block(text))
    assert.isTrue(CidrCover.covers(halves, ipv6!))
    assert.isFalse(CidrCover.covers(halves.slice(1), ipv6!))
    assert.isFalse(CidrCover.covers(halves, ipv4!))
  })

  it("cover across the words of an address", () => {
    const blocks = ["fd00::/64", "fd00:0:0:1::/65", "fd00:0:0:1:8000::/65"].map((text) => block(text))
    const whole = block("fd00::/63")
    assert.isTrue(CidrCover.covers(blocks, whole))
    assert.isFalse(CidrCover.covers(blocks.slice(0, 2), whole))
  })
})
