/**
 * Finalizers that need no services.
 */
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Finalizers from "../../src/base/Finalizers.ts"

const Place = Context.Reference<string>("test/Place", { defaultValue: () => "nowhere" })

it.effect("A finalizer runs at the end of the scope, with the services of who closes the scope", () =>
  Effect.gen(function* () {
    const seen: Array<string> = []
    yield* Effect.scoped(
      Effect.gen(function* () {
        const finalizer = Effect.map(Place, (place) => seen.push(place))
        yield* Effect.provideService(Finalizers.add(finalizer), Place, "inside")
        seen.push("open")
      })
    )
    assert.deepStrictEqual(seen, ["open", "nowhere"])
  })
)
