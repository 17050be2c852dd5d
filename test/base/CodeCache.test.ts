import { appendFileSync, readdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as CodeCache from "../../src/base/CodeCache.ts"
import * as Temporary from "../support/temporary.ts"

/** A directory with two files, one of which requires the other. */
const bundle = Effect.map(Temporary.directory, (directory) => {
  writeFileSync(
    join(directory, "first.cjs"),
    `exports.sum = require("./second.cjs").two + 1; exports.at = __filename`
  )
  writeFileSync(join(directory, "second.cjs"), `exports.two = 2; exports.os = require("node:os")`)
  return directory
})

const run = (directory: string) => {
  const opened = CodeCache.open(directory)
  const { sum, at } = opened.load("first.cjs") as { sum: number; at: string }
  assert.deepStrictEqual({ sum, at }, { sum: 3, at: join(directory, "first.cjs") })
  return opened
}

describe("a code cache", () => {
  it.effect("is used at the next start", () =>
    Effect.gen(function* () {
      const directory = yield* bundle
      const first = run(directory)
      assert.deepStrictEqual(first.compiled(), ["first.cjs", "second.cjs"])
      first.writeCaches()
      assert.deepStrictEqual(readdirSync(directory).sort(), [
        "first.cjs",
        `first.cjs${CodeCache.suffix}`,
        "second.cjs",
        `second.cjs${CodeCache.suffix}`
      ])
      assert.deepStrictEqual(run(directory).compiled(), [])
    })
  )

  it.effect("is written for files that were not run, too", () =>
    Effect.gen(function* () {
      const directory = yield* bundle
      CodeCache.open(directory).writeCaches()
      assert.deepStrictEqual(run(directory).compiled(), [])
    })
  )

  it.effect("is not used for a source that has changed since, though its length has not", () =>
    Effect.gen(function* () {
      const directory = yield* bundle
      run(directory).writeCaches()
      const source = join(directory, "first.cjs")
      writeFileSync(source, readFileSync(source, "utf8").replace("+ 1", "+ 2"))
      const later = Date.now() / 1000 + 10
      utimesSync(source, later, later)
      assert.deepInclude(CodeCache.open(directory).load("first.cjs"), { sum: 4 })
    })
  )

  it.effect("is not used for another source, or with other bytes", () =>
    Effect.gen(function* () {
      const directory = yield* bundle
      run(directory).writeCaches()
      // Both are changed, as V8 remembers what this process has compiled.
      for (const name of ["first.cjs", "second.cjs"]) {
        appendFileSync(join(directory, name), "\n")
      }
      writeFileSync(join(directory, `first.cjs${CodeCache.suffix}`), "no cache")
      assert.deepStrictEqual(run(directory).compiled(), ["first.cjs", "second.cjs"])
    })
  )

  it.effect("is not used on another kind of processor", () =>
    Effect.gen(function* () {
      const directory = yield* bundle
      run(directory).writeCaches()
      for (const name of ["first.cjs", "second.cjs"]) {
        appendFileSync(join(directory, name), "\n//")
        renameSync(join(directory, name + CodeCache.suffix), join(directory, `${name}.linux-other.cache`))
      }
      assert.deepStrictEqual(run(directory).compiled(), ["first.cjs", "second.cjs"])
      assert.include(CodeCache.suffix, process.arch)
    })
  )

  it.effect("does not run a file twice", () =>
    Effect.gen(function* () {
      const opened = run(yield* bundle)
      assert.strictEqual(opened.load("second.cjs"), opened.load("second.cjs"))
    })
  )
})
