/**
 * Requests for a reload, and their answers.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as ReloadRequests from "../../src/cli/ReloadRequests.ts"

it.effect("requests that come together are answered together, and later ones later", () =>
  Effect.gen(function* () {
    const { request, asked, take } = ReloadRequests.make()
    const fork = Effect.forkChild(Effect.flip(request), { startImmediately: true })
    const [first, second] = [yield* fork, yield* fork]
    yield* asked
    const answer = take()
    const third = yield* Effect.forkChild(request, { startImmediately: true })
    answer("wrong")
    assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], ["wrong", "wrong"])
    assert.isUndefined(third.pollUnsafe())
    yield* asked
    take()(undefined)
    yield* Fiber.join(third)
  })
)
