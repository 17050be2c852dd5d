/**
 * The samples of traffic.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as History from "../../src/admin/History.ts"

it.effect("the last fifteen minutes are kept, a sample every two seconds", () =>
  Effect.gen(function* () {
    let sent = 0
    const census = Effect.sync(() => ({
      ...{ sessions: 1, associations: 0, handshakes: 0, descriptors: 2 },
      ...{ sent: sent++, received: 0 }
    }))
    const { samples } = yield* History.make(census)
    yield* TestClock.adjust("20 seconds")
    assert.strictEqual((yield* samples).at(-1)?.at, 20_000)
    yield* TestClock.adjust("1 hour")
    const kept = yield* samples
    assert.lengthOf(kept, 450)
    assert.strictEqual(kept.at(-1)!.at - kept[0]!.at, 449 * 2000)
    assert.isBelow(kept[0]!.sent, kept[1]!.sent)
  })
)
