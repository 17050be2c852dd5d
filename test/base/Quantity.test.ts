import { assert, describe, it } from "@effect/vitest"
import * as Quantity from "../../src/base/Quantity.ts"

describe("a size", () => {
  it("is in the largest unit", () => {
    assert.deepStrictEqual([0, 1, 1023, 1024, 1536, 204_800, 1024 ** 3, 1024 ** 5].map(Quantity.size), [
      "0 B",
      "1 B",
      "1023 B",
      "1.0 KiB",
      "1.5 KiB",
      "200 KiB",
      "1.0 GiB",
      "1024 TiB"
    ])
  })
})

describe("an age", () => {
  it("has two units", () => {
    assert.deepStrictEqual([-5, 0, 5000, 65_000, 3_600_000, 7_800_000, 273_600_000].map(Quantity.age), [
      "0s",
      "0s",
      "5s",
      "1m 5s",
      "1h",
      "2h 10m",
      "3d 4h"
    ])
  })
})
