/**
 * What of the bans of a machine its fleet's store is told.
 */
import { assert, describe, it } from "@effect/vitest"
import * as UntoldBans from "../../src/fleet/UntoldBans.ts"

const ban = (network: string): UntoldBans.BanUpdate => ({
  ...{ _tag: "ban", network, until: 1000, reason: "abuse", failures: 0 }
})

const address = (index: number) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}/32`

const networksOf = ({ bans, lifts, again }: UntoldBans.Taken) => ({
  bans: [...bans.keys()],
  lifts: [...lifts.keys()],
  again: [...again]
})

describe("bans that the store is not told of", () => {
  it("are told in parts, the last ones where too many wait", () => {
    const untold = UntoldBans.make()
    for (let index = 0; index < 32_770; index++) untold.ban(ban(address(index)))
    const told: Array<string> = []
    while (untold.hasBans()) {
      const { bans } = untold.take()
      assert.isAtMost(bans.size, 4096)
      told.push(...bans.keys())
      untold.told()
    }
    assert.lengthOf(told, 32_768)
    assert.deepStrictEqual([told[0], told.at(-1)], [address(2), address(32_769)])
  })

  it("are neither told nor repeated once they are lifted, and what is lifted is known with all that overlaps", () => {
    const untold = UntoldBans.make()
    untold.ban(ban("192.0.2.1/32"))
    untold.repeat(["192.0.2.2/32", "198.51.100.1/32"])
    untold.lift("192.0.2.0/24", ["192.0.2.0/24", "192.0.2.1/32", "192.0.2.2/32"])
    assert.isTrue(untold.has("192.0.2.200/32"))
    assert.isFalse(untold.has("198.51.100.1/32"))
    assert.deepStrictEqual(networksOf(untold.take()), {
      ...{ bans: [], lifts: ["192.0.2.0/24"], again: ["198.51.100.1/32"] }
    })
    // On its way.
    assert.isTrue(untold.has("192.0.2.200/32"))
    untold.told()
    assert.isFalse(untold.has("192.0.2.200/32"))
  })

  it("wait again when they could not be told, except where something newer is there", () => {
    const untold = UntoldBans.make()
    for (const network of ["192.0.2.1/32", "192.0.2.2/32"]) untold.ban(ban(network))
    untold.repeat(["198.51.100.1/32"])
    untold.take()
    assert.isTrue(untold.has("192.0.2.1/32"))
    untold.lift("192.0.2.1/32", ["192.0.2.1/32"])
    untold.ban({ ...ban("192.0.2.2/32"), until: 2000 })
    untold.putBack()
    const taken = untold.take()
    assert.deepStrictEqual(networksOf(taken), {
      ...{ bans: ["192.0.2.2/32"], lifts: ["192.0.2.1/32"], again: ["198.51.100.1/32"] }
    })
    assert.strictEqual(taken.bans.get("192.0.2.2/32")?.until, 2000)
  })
})
