/**
 * Usage on its way to the store, also while the store fails.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { UsageStoreFailed } from "../../src/Errors.ts"
import * as UsageStore from "../../src/usage/UsageStore.ts"
import * as UsageWriter from "../../src/usage/UsageWriter.ts"
import { captured } from "../support/logs.ts"
import { received } from "../support/usage.ts"

const all = { from: "1970-01-01", to: "2100-01-01" }

/** A store that can fail, and notes what it was asked to write. */
const make = Effect.fnUntraced(function* () {
  const store = UsageStore.makeMemory()
  const state: { mode: "works" | "fails" | "hangs" | "loses the answer" } = { mode: "works" }
  const batches: Array<UsageStore.Batch> = []
  const scope = yield* Scope.make()
  const { lines, layer } = captured()
  const failed = Effect.fail(new UsageStoreFailed({ store: store.name, reason: "no route" }))
  const writer = yield* UsageWriter.make({
    ...store,
    write: (batch) =>
      Effect.suspend(() => {
        batches.push(batch)
        if (state.mode === "fails") return failed
        if (state.mode === "hangs") return Effect.never
        return state.mode === "works" ? store.write(batch) : Effect.andThen(store.write(batch), failed)
      })
  }).pipe(Scope.provide(scope), Effect.provide(layer))
  const bytes = Effect.map(store.read(all), (rows) => rows.reduce((sum, row) => sum + row.received, 0))
  const messages = () => lines.map(({ message }) => message)
  return { writer, state, batches, bytes, lines, messages, end: Scope.close(scope, Exit.void) }
})

describe("UsageWriter", () => {
  it.effect("writes the usage of 300 ms in one batch, and nothing without usage", () =>
    Effect.gen(function* () {
      const { writer, batches, bytes, end } = yield* make()
      for (let i = 0; i < 100; i++) writer.add("user alice", received(1), 0)
      yield* TestClock.adjust("299 millis")
      assert.strictEqual(yield* bytes, 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* bytes, 100)
      yield* TestClock.adjust("10 seconds")
      assert.lengthOf(batches, 1)
      writer.add("user alice", received(1), 0)
      yield* end
      assert.strictEqual(yield* bytes, 101)
    })
  )

  it.effect(
    "keeps all usage while the store fails, logs that once a minute, and writes each batch once",
    () =>
      Effect.gen(function* () {
        const { writer, state, batches, bytes, lines, messages, end } = yield* make()
        state.mode = "loses the answer"
        writer.add("user alice", received(1), 0)
        yield* TestClock.adjust("300 millis")
        state.mode = "fails"
        for (let i = 0; i < 50; i++) {
          writer.add("user alice", received(1), 0)
          yield* TestClock.adjust("1 second")
        }
        const waits = "usage cannot be stored, and waits in memory"
        assert.deepStrictEqual(messages(), [waits])
        assert.deepStrictEqual(lines[0]?.fields, {
          store: "memory",
          reason: "no route",
          accounts: 1,
          bytes: 1
        })
        // Pauses of at most 5 seconds.
        assert.isBelow(batches.length, 20)
        yield* TestClock.adjust("15 seconds")
        assert.deepStrictEqual(messages(), [waits, waits])
        state.mode = "works"
        yield* TestClock.adjust("6 seconds")
        assert.strictEqual(yield* bytes, 51)
        assert.deepStrictEqual(messages().slice(2), ["usage is stored again"])
        yield* end
      })
  )

  it.effect("does not wait for a store without an answer", () =>
    Effect.gen(function* () {
      const { writer, state, bytes, lines, end } = yield* make()
      state.mode = "hangs"
      writer.add("user alice", received(1), 0)
      yield* TestClock.adjust("5300 millis")
      assert.strictEqual(lines[0]?.fields.reason, "it does not answer")
      state.mode = "works"
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* bytes, 1)
      yield* end
    })
  )

  it.effect("reports losses at the end", () =>
    Effect.gen(function* () {
      const { writer, state, lines, end } = yield* make()
      state.mode = "fails"
      writer.add("user alice", received(5), 0)
      writer.add("user bob", received(6), 0)
      yield* end
      assert.deepStrictEqual(lines, [
        {
          level: "Error",
          message: "usage is lost: its store failed until the end",
          fields: { store: "memory", reason: "no route", accounts: 2, bytes: 11 }
        }
      ])
    })
  )

  it.effect("holds a bounded number of accounts, and reports losses", () =>
    Effect.gen(function* () {
      const { writer, state, lines, messages } = yield* make()
      for (let i = 0; i < 100_010; i++) writer.add(`user ${i}`, received(1), 0)
      state.mode = "fails"
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(messages(), [
        "usage cannot be stored, and waits in memory",
        "usage is lost: too many accounts wait"
      ])
      assert.deepStrictEqual(lines[1]?.fields, { store: "memory", bytes: 10 })
    })
  )
})
