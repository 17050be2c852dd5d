/**
 * The last words on networks, over a restart.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import type { Words } from "../../src/fleet/BanWords.ts"
import * as BanWordsFile from "../../src/fleet/BanWordsFile.ts"
import * as Logs from "../support/logs.ts"
import * as Temporary from "../support/temporary.ts"

const noon = Date.parse("2026-11-29T12:00:00Z")
const day = 86_400_000

const words: Words = [
  ["203.0.113.7/32", { isBan: false, at: noon - 29 * day }],
  ["2001:db8::/64", { isBan: true, at: noon }]
]

/** A directory in which the file was kept at noon. */
const kept = Effect.gen(function* () {
  yield* TestClock.setTime(noon)
  const stateDir = yield* Temporary.directory
  assert.isTrue(yield* (yield* BanWordsFile.open(stateDir, "fleet")).save(words))
  return stateDir
})

const leftIn = (stateDir: string, fleet = "fleet") =>
  Effect.map(BanWordsFile.open(stateDir, fleet), ({ left }) => left)

describe("the file of words", () => {
  it.effect("has them over a restart, but those that are too old, and of its fleet only", () =>
    Effect.gen(function* () {
      const stateDir = yield* kept
      assert.deepStrictEqual(yield* leftIn(stateDir), words)
      assert.deepStrictEqual(yield* leftIn(stateDir, "another"), [])
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual(yield* leftIn(stateDir), words.slice(1))
      assert.deepStrictEqual(yield* leftIn(yield* Temporary.directory), [])
    })
  )

  it.effect("has none by a clock that was set back", () =>
    Effect.gen(function* () {
      const stateDir = yield* kept
      yield* TestClock.setTime(noon - 1000)
      assert.lengthOf(yield* leftIn(stateDir), 2)
      yield* TestClock.setTime(noon - 60_000)
      assert.deepStrictEqual(yield* leftIn(stateDir), [])
    })
  )

  it.effect("is reported where it cannot be read, or kept, once each time", () =>
    Effect.gen(function* () {
      const stateDir = yield* kept
      const [file] = readdirSync(stateDir)
      writeFileSync(join(stateDir, file!), "no words")
      const { lines, layer } = Logs.captured()
      const found = yield* Effect.provide(BanWordsFile.open(stateDir, "fleet"), layer)
      assert.deepStrictEqual(found.left, [])
      rmSync(stateDir, { recursive: true })
      for (const _ of [1, 2]) assert.isFalse(yield* Effect.provide(found.save(words), layer))
      mkdirSync(stateDir)
      assert.isTrue(yield* found.save(words))
      assert.deepStrictEqual(yield* leftIn(stateDir), words)
      rmSync(stateDir, { recursive: true })
      assert.isFalse(yield* Effect.provide(found.save(words), layer))
      const unkept = "when bans were made and lifted cannot be kept"
      assert.deepStrictEqual(
        lines.map(({ message }) => message),
        ["when bans were made and lifted cannot be read, and is forgotten", unkept, unkept]
      )
      assert.strictEqual(lines.at(-1)?.fields?.reason, "its directory does not exist")
    })
  )
})
