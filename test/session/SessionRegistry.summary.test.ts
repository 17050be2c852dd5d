/**
 * What the log says of clients that are turned away, and of those that never ask
 * for anything: a line a minute, however many there are.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { TestClock } from "effect/testing"
import { HandshakeTimeout } from "../../src/Errors.ts"
import * as Descriptors from "../../src/limits/Descriptors.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { captured } from "../support/logs.ts"
import { replaceExport } from "../support/replaced.ts"
import { begin, layer, open } from "../support/sessions.ts"

replaceExport(Descriptors, "budget", Effect.succeed(8))

const logged = () => {
  const { lines, layer: logs } = captured()
  return {
    provided: Layer.provideMerge(layer(), logs),
    shown: () => lines.filter(({ level }) => level !== "Debug"),
    hidden: () => lines.filter(({ level }) => level === "Debug")
  }
}

it.effect("refused clients are reported at once, then once a minute, with advice", () => {
  const { provided, shown } = logged()
  return Effect.gen(function* () {
    for (let i = 0; i < 4; i++) yield* begin({ host: `203.0.113.${i}` })
    for (let i = 0; i < 300; i++) yield* Effect.flip(open("203.0.113.9"))
    yield* TestClock.adjust("1 second")
    const [line] = shown()
    assert.strictEqual(line?.level, "Warn")
    assert.match(String(line?.message), /^clients are turned away: too few descriptors; raise .*ulimit -n/)
    assert.deepInclude(line?.fields, { descriptors: 300 })
    assert.isAbove(line?.fields.openFiles as number, 0)
    for (let i = 0; i < 30; i++) {
      yield* Effect.flip(open("203.0.113.9"))
      yield* TestClock.adjust("2 seconds")
    }
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual(
      shown().map(({ fields }) => fields.descriptors),
      [300, 30]
    )
  }).pipe(Effect.provide(provided))
})

it.effect("connections without a request have a line at debug level, and all together one a minute", () => {
  const { provided, shown, hidden } = logged()
  return Effect.gen(function* () {
    for (let i = 0; i < 2000; i++) {
      const { session, close } = yield* open("203.0.113.9")
      session.outcome = i % 2 === 0 ? new HandshakeTimeout() : undefined
      yield* close
    }
    assert.lengthOf(hidden(), 2000)
    assert.lengthOf(shown(), 0)
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual(
      shown().map(({ level, message, fields }) => [level, message, fields]),
      [
        [
          "Info",
          "connections without a request",
          { outcomes: { HandshakeTimeout: 1000, "closed by server": 1000 } }
        ]
      ]
    )
    const user = yield* open("203.0.113.9")
    user.session.user = "alice"
    yield* user.close
    assert.include(shown().at(-1)?.fields, { user: "alice" })
  }).pipe(Effect.provide(provided))
})

it.effect("the census has the numbers and the limits", () =>
  Effect.gen(function* () {
    yield* begin({})
    yield* begin({ host: "203.0.113.2", command: "ASSOCIATE" })
    yield* open("203.0.113.3")
    assert.deepStrictEqual(yield* (yield* SessionRegistry).census, {
      sessions: 2,
      associations: 1,
      handshakes: 1,
      descriptors: 7,
      sent: 0,
      received: 0,
      limits: { sessions: 4, handshakes: 4, descriptors: 8 }
    })
  }).pipe(Effect.provide(layer()))
)

it.effect("both lines have the log level of connections after a reload", () => {
  const { provided, shown } = logged()
  const strangers = (count: number) =>
    Effect.gen(function* () {
      for (let i = 0; i < count; i++) yield* (yield* open("203.0.113.9")).close
    })
  return Effect.gen(function* () {
    yield* strangers(2).pipe(Effect.provideService(References.MinimumLogLevel, "Warn"))
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual(shown(), [])
    yield* strangers(3).pipe(Effect.provideService(References.MinimumLogLevel, "Info"))
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual(
      shown().map(({ fields }) => fields),
      [{ outcomes: { "closed by server": 3 } }]
    )
    for (let i = 0; i < 4; i++) yield* begin({ host: `203.0.113.${i}` })
    yield* Effect.flip(open("203.0.113.9")).pipe(Effect.provideService(References.MinimumLogLevel, "Error"))
    yield* TestClock.adjust("1 second")
    assert.lengthOf(shown(), 1)
  }).pipe(Effect.provide(provided))
})
