/**
 * Who has logged in from where, over restarts.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Bans } from "../../src/bans/Bans.ts"
import * as KnownFile from "../../src/bans/KnownFile.ts"
import { attempt, layer } from "../support/guarded.ts"
import { captured } from "../support/logs.ts"
import * as Temporary from "../support/temporary.ts"

const anyPath = Effect.map(Temporary.directory, (directory) => join(directory, "known.json"))

/** A run of the program, at the end of which the file is written. */
const run = <A, E>(path: string, use: Effect.Effect<A, E, Layer.Success<ReturnType<typeof layer>>>) =>
  Effect.gen(function* () {
    const { save } = yield* KnownFile.make(path)
    const result = yield* use
    yield* save
    return result
  }).pipe(Effect.provide(layer({ banAfter: 5 }), { local: true }))

/** Enough for a ban. */
const guesses = Effect.forEach([1, 2, 3, 4, 5], () => attempt("203.0.113.7"))

/** The same, in other names. */
const strangers = Effect.forEach([1, 2, 3, 4, 5], (n) => attempt("203.0.113.7", "guess", `user ${n}`))

describe("KnownFile", () => {
  it.effect("lets a known user log in after a restart while other clients guess, and no other user", () =>
    Effect.gen(function* () {
      const path = yield* anyPath
      yield* run(path, attempt("203.0.113.7", "secret"))
      const [other, known] = yield* run(
        path,
        Effect.andThen(
          strangers,
          Effect.all([attempt("203.0.113.7", "secret", "bob"), attempt("203.0.113.7", "secret")])
        )
      )
      assert.deepStrictEqual([other, known], ["unheard", "in"])
      // For a name that was guessed at, a restart is no advantage, not for the guesser either.
      const guessed = yield* run(path, Effect.andThen(guesses, attempt("203.0.113.7", "secret")))
      assert.strictEqual(guessed, "unheard")
    })
  )

  it.effect("has no names and no passwords, and forgets pairs after a week", () =>
    Effect.gen(function* () {
      const path = yield* anyPath
      yield* run(path, attempt("203.0.113.7", "secret"))
      const text = readFileSync(path, "utf8")
      assert.notMatch(text, /alice|secret/)
      assert.lengthOf(JSON.parse(text).known, 1)
      assert.deepStrictEqual(Object.keys(JSON.parse(text).known[0]).sort(), ["account", "at", "network"])
      yield* TestClock.adjust("8 days")
      const later = yield* run(path, Effect.andThen(strangers, attempt("203.0.113.7", "secret")))
      assert.strictEqual(later, "unheard")
    })
  )

  const { lines, layer: logs } = captured()
  it.effect("is replaced, with a warning, if it is damaged", () =>
    Effect.gen(function* () {
      const path = yield* anyPath
      writeFileSync(path, '{"version":1,"key":')
      assert.strictEqual(yield* run(path, attempt("203.0.113.7", "secret")), "in")
      assert.deepStrictEqual(
        lines.filter(({ level }) => level === "Warn").map(({ message }) => message),
        ["the users who are known cannot be read, and are forgotten"]
      )
      assert.lengthOf(JSON.parse(readFileSync(path, "utf8")).known, 1)
    }).pipe(Effect.provide(logs))
  )

  it.effect("is beside the bans file, or else in the state directory", () =>
    Effect.sync(() => {
      const fileOf = (values: object) =>
        KnownFile.fileOf({ bansFile: undefined, stateDir: undefined, ...values } as never)
      assert.strictEqual(fileOf({ bansFile: "/b/bans", stateDir: "/s" }), "/b/bans.known")
      assert.strictEqual(fileOf({ stateDir: "/s" }), join("/s", "known.json"))
      assert.strictEqual(fileOf({}), undefined)
    })
  )

  it.effect("is not written without a change", () =>
    Effect.gen(function* () {
      const path = yield* anyPath
      yield* run(
        path,
        Effect.gen(function* () {
          yield* attempt("203.0.113.7", "secret")
          const bans = yield* Bans
          const before = yield* bans.knownPairsRevision
          for (let n = 0; n < 100; n++) yield* attempt("203.0.113.7", "secret")
          assert.strictEqual(yield* bans.knownPairsRevision, before)
          yield* TestClock.adjust("2 hours")
          yield* attempt("203.0.113.7", "secret")
          assert.notStrictEqual(yield* bans.knownPairsRevision, before)
        })
      )
    })
  )
})
