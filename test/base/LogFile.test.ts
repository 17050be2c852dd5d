/**
 * A log file, and what happens when the file is taken away. With files of the system, and its clock.
 */
import { chmodSync, existsSync, readFileSync, renameSync, statSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as LogFile from "../../src/base/LogFile.ts"
import * as Temporary from "../support/temporary.ts"

const place = Effect.map(Temporary.directory, (directory) => join(directory, "proxy.log"))

const text = (path: string) => readFileSync(path, "utf8")

describe("a log file", () => {
  it.live("is appended to, and read by its owner and group only", () =>
    Effect.gen(function* () {
      const path = yield* place
      for (const line of ["one", "two"]) {
        yield* Effect.scoped(Effect.map(LogFile.open(path), ({ write }) => write([line])))
      }
      assert.strictEqual(text(path), "one\ntwo\n")
      assert.strictEqual(statSync(path).mode & 0o027, 0)
    })
  )

  it.live("is opened again at SIGHUP, and keeps every line", () =>
    Effect.gen(function* () {
      const path = yield* place
      const { write } = yield* LogFile.open(path)
      write(["before"])
      renameSync(path, `${path}.1`)
      write(["between"])
      process.emit("SIGHUP")
      while (!existsSync(path)) yield* Effect.yieldNow
      write(["after"])
      assert.strictEqual(text(`${path}.1`), "before\nbetween\n")
      assert.strictEqual(text(path), "after\n")
    })
  )

  it.live("stays the old one if no other can be made", () =>
    Effect.gen(function* () {
      const path = yield* place
      const { write } = yield* LogFile.open(path)
      const kept = `${path}.1`
      renameSync(path, kept)
      chmodSync(join(path, ".."), 0o500)
      process.emit("SIGHUP")
      yield* Effect.yieldNow
      write(["line"])
      chmodSync(join(path, ".."), 0o700)
      // The superuser may write everywhere.
      assert.strictEqual(text(process.getuid?.() === 0 ? path : kept), "line\n")
    })
  )

  it.live("is refused with the system's reason", () =>
    Effect.gen(function* () {
      const path = join(yield* place, "missing", "proxy.log")
      assert.strictEqual(yield* Effect.flip(LogFile.open(path)), "ENOENT")
      assert.strictEqual(yield* Effect.flip(LogFile.check(path)), "ENOENT")
    })
  )

  it.live("is not made by a check", () =>
    Effect.gen(function* () {
      const path = yield* place
      yield* LogFile.check(path)
      assert.isFalse(existsSync(path))
    })
  )
})
