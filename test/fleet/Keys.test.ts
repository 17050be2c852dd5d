import { assert, describe, it } from "@effect/vitest"
import * as Keys from "../../src/fleet/Keys.ts"

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

  it("spreads owners over all buckets", () => {
    const used = new Set(Array.from({ length: 1000 }, (_, index) => Keys.bucketOf(`user ${index}`)))
    assert.lengthOf(used, Keys.buckets)
  })

  it("has other keys for other limits, and for other fleets", () => {
    const all = ["user a", "user b", "all"].flatMap((name) =>
      ["one", "two"].map((prefix) => Keys.make(prefix).of("slots", name))
    )
    assert.lengthOf(new Set(all), all.length)
  })
})
