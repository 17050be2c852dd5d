import { assert, describe, it } from "@effect/vitest"
import * as Keys from "../../src/fleet/Keys.ts"
import { Fleet } from "../support/fleet.ts"

/** The hash slot of a key in a Redis Cluster: CRC-16/XMODEM of what is in braces. */
const slotOf = (key: string): number => {
  const tag = /\{([^}]+)\}/.exec(key)?.[1] ?? key
  let crc = 0
  for (const octet of new TextEncoder().encode(tag)) {
    crc ^= octet << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff
  }
  return crc % 16_384
}

describe("the keys of a fleet", () => {
  const keys = Keys.make("fleet")

  it("has the keys of an owner in one hash slot", () => {
    const tagOf = (key: string) => /\{(\d+)\}/.exec(key)?.[1]
    const tags = [
      "user alice",
      "UDP of user alice",
      "upload of user alice",
      "download of user alice"
    ].flatMap((name) => [keys.of("slots", name), keys.of("shares", name), keys.of("tokens", name)].map(tagOf))
    assert.lengthOf(new Set(tags), 1)
    assert.strictEqual(tagOf(keys.ofBucket("epoch", Keys.bucketOf("user alice"))), tags[0])
  })

  it("has the keys of each call about leases in one hash slot, and the calls in many", () => {
    assert.strictEqual(slotOf("123456789"), 0x31c3)
    const fleet = new Fleet({ members: 2 })
    const slots = new Set<number>()
    const scripts = new Set<string>()
    const { connect } = fleet.store
    Object.assign(fleet.store, {
      connect: () => {
        const connection = connect()
        const { call } = connection.store
        const seen: typeof call = (script, keys, ...others) => {
          const found = new Set(keys.map(slotOf))
          assert.lengthOf(found, 1, `${script.name}: ${keys.join(" ")}`)
          for (const slot of found) slots.add(slot)
          scripts.add(script.name)
          call(script, keys, ...others)
        }
        return { ...connection, store: { ...connection.store, call: seen } }
      }
    })
    const machines = [fleet.join(), fleet.join()]
    fleet.clock.pass(7000)
    for (const machine of machines) {
      for (let user = 0; user < 100; user++) {
        machine.begin(`user ${user}`, 3)
        machine.begin(`UDP of user ${user}`, 1)
        machine.token(`user ${user}`, 10, () => {})
        machine.enter(`upload of user ${user}`)
      }
      fleet.clock.pass(5000)
    }
    assert.deepStrictEqual([...scripts].sort(), [
      ...["acquire-slots", "beat", "begin"],
      ...["put-slots", "renew-slots", "take-share", "take-tokens"]
    ])
    assert.lengthOf(slots, Keys.buckets)
  })

  it("spreads owners over all buckets", () => {
    const used = new Set(Array.from({ length: 1000 }, (_, index) => Keys.bucketOf(`user ${index}`)))
    assert.lengthOf(used, Keys.buckets)
  })

  it("has other keys for other limits, and for other fleets", () => {
    const all = ["user a", "user b", "all"].flatMap((name) =>
      ["one", "two"].map((prefix) => Keys.make(prefix).of("slots", name))
    )
    assert.lengthOf(new Set(all), all.length)
    // In another database of the same server, too, whose channels are those of all databases.
    const [here, there] = [Keys.make("fleet"), Keys.make("fleet", 1)]
    assert.notStrictEqual(here.broadcast, there.broadcast)
    assert.notStrictEqual(here.channel("one"), there.channel("one"))
    assert.strictEqual(there.channel("one"), `${there.channels}one`)
  })
})
