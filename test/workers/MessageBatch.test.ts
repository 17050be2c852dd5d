import { setImmediate } from "node:timers/promises"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MessageBatch from "../../src/workers/MessageBatch.ts"

describe("messages of one turn of the event loop", () => {
  it.effect("are sent together, in order, and those of the next turn in another batch", () =>
    Effect.promise(async () => {
      const batches: Array<ReadonlyArray<number>> = []
      const send = MessageBatch.outgoing<number>((batch) => batches.push(batch))
      send(1)
      send(2)
      await Promise.resolve()
      send(3)
      assert.deepStrictEqual(batches, [])
      await setImmediate()
      assert.deepStrictEqual(batches, [[1, 2, 3]])
      send(4)
      await setImmediate()
      await setImmediate()
      assert.deepStrictEqual(batches, [[1, 2, 3], [4]])
    })
  )
})
