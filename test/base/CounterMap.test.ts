/**
 * Counting, and forgetting.
 */
import { assert, it } from "@effect/vitest"
import * as CounterMap from "../../src/base/CounterMap.ts"

it("counts each key by itself, and keeps no key at zero", () => {
  const counts = CounterMap.make()
  for (const key of ["a", "b", "a"]) counts.change(key, 1)
  assert.deepStrictEqual(["a", "b", "c"].map(counts.of), [2, 1, 0])
  for (const key of ["a", "b"]) counts.change(key, -1)
  assert.deepStrictEqual([counts.of("a"), counts.of("b"), counts.size()], [1, 0, 1])
})
