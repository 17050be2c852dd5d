/**
 * A password guessed from everywhere at once.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { TestClock } from "effect/testing"
import { Bans } from "../../src/bans/Bans.ts"
import { attempt, isAdmitted, layer } from "../support/guarded.ts"

const quiet = Layer.succeed(References.MinimumLogLevel, "None")

it.effect("10,000 addresses: few guesses are checked, the tables stay small, and alice can log in", () =>
  Effect.gen(function* () {
    const { suspects, list } = yield* Bans
    assert.strictEqual(yield* attempt("198.51.100.1", "secret"), "in")
    let heard = 0
    for (let n = 0; n < 10_000; n++) {
      // A thousand a second, each tenth address often enough to be banned.
      if (n % 1000 === 0) yield* TestClock.adjust("1 second")
      const host = `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`
      for (let tries = n % 10 === 0 ? 10 : 1; tries > 0; tries--) {
        if ((yield* attempt(host)) === "wrong") heard++
      }
    }
    // Ten, and then after 1, 2, 4, … seconds.
    assert.isAtMost(heard, 20)
    assert.isAtMost((yield* suspects).length, 8192)
    assert.strictEqual((yield* list).length, 1000)
    assert.strictEqual(yield* attempt("198.51.100.1", "secret"), "in")
    assert.strictEqual(yield* attempt("198.51.100.2", "secret"), "unheard")
    assert.isTrue(yield* isAdmitted("198.51.100.2"))
    yield* TestClock.adjust("120 seconds")
    assert.strictEqual(yield* attempt("198.51.100.2", "secret"), "in")
  }).pipe(Effect.provide(Layer.merge(layer(), quiet)))
)

it.effect("any number of bans fits in the bounded table", () =>
  Effect.gen(function* () {
    for (let n = 0; n < 33_000; n++) yield* attempt(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`)
    const { list } = yield* Bans
    assert.isAtMost((yield* list).length, 32_768)
    assert.isFalse(yield* isAdmitted("10.0.128.231"))
  }).pipe(Effect.provide(Layer.merge(layer({ banAfter: 1 }), quiet)))
)
