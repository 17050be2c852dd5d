/**
 * A password guessed from everywhere at once.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
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
      // A thousand a second, each hundredth address often enough to be banned.
      if (n % 1000 === 0) yield* TestClock.adjust("1 second")
      for (let tries = n % 100 === 0 ? 10 : 1; tries > 0; tries--) {
        if ((yield* attempt(hostOf(n))) === "wrong") heard++
      }
    }
    // Ten, and then after 1, 2, 4, … seconds.
    assert.isAtMost(heard, 20)
    assert.isAtMost((yield* suspects).length, 8192)
    assert.strictEqual((yield* list).length, 100)
    assert.strictEqual(yield* attempt("198.51.100.1", "secret"), "in")
    assert.strictEqual(yield* attempt("198.51.100.2", "secret"), "unheard")
    assert.isTrue(yield* isAdmitted("198.51.100.2"))
    yield* TestClock.adjust("120 seconds")
    assert.strictEqual(yield* attempt("198.51.100.2", "secret"), "in")
  }).pipe(Effect.provide(Layer.merge(layer(), quiet)))
)

it.effect("any number of bans fits in the bounded table", () =>
  Effect.gen(function* () {
    const { list, restore } = yield* Bans
    for (let n = 0; n < 32_700; n++) {
      const network = IpNetwork.fromStringUnsafe(`${hostOf(n)}/32`)
      yield* restore({ network, until: 60_000, reason: "failed logins", failures: 1 })
    }
    assert.lengthOf(yield* list, 32_700)
    for (let n = 32_700; n < 33_000; n++) yield* attempt(hostOf(n))
    assert.isAtMost((yield* list).length, 32_768)
    assert.isFalse(yield* isAdmitted(hostOf(32_999)))
  }).pipe(Effect.provide(Layer.merge(layer({ banAfter: 1 }), quiet)))
)

const hostOf = (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`
