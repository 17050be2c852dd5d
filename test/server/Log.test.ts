/**
 * How log lines look, for programs and for people.
 */
import { assert, beforeEach, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { TestClock } from "effect/testing"
import * as Log from "../../src/server/Log.ts"

let lines: Array<string> = []
beforeEach(() => {
  lines = []
})

/** The lines of a format, kept. */
const kept = (format: Logger.Logger<unknown, string>) =>
  Logger.layer([Logger.map(format, (line) => void lines.push(line))])

const noon = Effect.andThen(
  TestClock.setTime(Date.UTC(2026, 0, 2, 12, 0, 0, 5)),
  Effect.logInfo("session", {
    user: undefined,
    target: "example.com:80",
    reason: 'two "words"',
    pair: "a=b",
    sent: 7
  })
)

describe("Log.json", () => {
  it.effect("has one object a line, with the fields beside the message", () =>
    Effect.gen(function* () {
      yield* noon
      assert.deepStrictEqual(
        lines.map((line) => JSON.parse(line)),
        [
          {
            time: "2026-01-02T12:00:00.005Z",
            level: "info",
            message: "session",
            target: "example.com:80",
            reason: 'two "words"',
            pair: "a=b",
            sent: 7
          }
        ]
      )
    }).pipe(Effect.provide(kept(Log.json)))
  )

  it.effect("writes no line break and no escape sequence of a value", () =>
    Effect.gen(function* () {
      yield* Effect.logWarning("one\ntwo", { user: "\x1b[2J\n" })
      assert.lengthOf(lines, 1)
      assert.match(lines[0]!, /^[\x20-\x7e]*$/)
    }).pipe(Effect.provide(kept(Log.json)))
  )

  it.effect("has errors and causes", () =>
    Effect.gen(function* () {
      yield* Effect.logError("died", new Error("a bug"))
      yield* Effect.logError("died", Cause.die(new Error("another")))
      const [error, cause] = lines.map((line) => JSON.parse(line))
      assert.include(error.error, "Error: a bug")
      assert.include(cause.cause, "another")
    }).pipe(Effect.provide(kept(Log.json)))
  )
})

describe("Log.pretty", () => {
  it.effect("has the time of day, the message, and the fields with a value", () =>
    Effect.gen(function* () {
      yield* noon
      assert.deepStrictEqual(lines, [
        '12:00:00.005 INFO  session target=example.com:80 reason="two \\"words\\"" pair="a=b" sent=7'
      ])
    }).pipe(Effect.provide(kept(Log.pretty)))
  )

  it.effect("has only the message without fields", () =>
    Effect.gen(function* () {
      yield* Effect.logError("alone")
      assert.match(lines[0]!, / ERROR alone$/)
    }).pipe(Effect.provide(kept(Log.pretty)))
  )
})
