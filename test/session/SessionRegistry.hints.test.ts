/**
 * What the log says of clients that speak something else than their listener.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { UnknownProtocol } from "../../src/Errors.ts"
import { captured } from "../support/logs.ts"
import { layer, open } from "../support/sessions.ts"

it.effect("a hint is at info level once a minute, and otherwise at debug level", () => {
  const { lines, layer: log } = captured()
  const end = Effect.fnUntraced(function* (error: UnknownProtocol) {
    const { session, close } = yield* open("203.0.113.1")
    session.outcome = error
    yield* close
    return lines.at(-1)?.level
  })
  return Effect.gen(function* () {
    const hinted = new UnknownProtocol({ firstByte: 22, hint: "the client speaks TLS" })
    assert.strictEqual(yield* end(new UnknownProtocol({ firstByte: 0 })), "Debug")
    assert.strictEqual(yield* end(hinted), "Info")
    assert.strictEqual(yield* end(hinted), "Debug")
    yield* TestClock.adjust("59 seconds")
    assert.strictEqual(yield* end(hinted), "Debug")
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* end(hinted), "Info")
  }).pipe(Effect.provide(Layer.merge(layer(), log)))
})
