/**
 * A lock that one holds, and that a process which is killed leaves to the next.
 */
import { execFileSync } from "node:child_process"
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Bans } from "../../src/bans/Bans.ts"
import * as BansFile from "../../src/bans/BansFile.ts"
import * as FileLock from "../../src/base/FileLock.ts"
import * as Hmac from "../../src/base/Hmac.ts"
import { Quotas } from "../../src/limits/Quotas.ts"
import * as Config from "../../src/server/Config.ts"
import * as Temporary from "../support/temporary.ts"

const here = { _tag: "Held" as const, by: `another server (process ${process.pid})` }

/** What a process leaves behind that listened there and was killed. */
const leaveBehind = (path: string) => {
  const code = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`
  try {
    execFileSync(process.execPath, ["-e", code, path], { stdio: "ignore" })
  } catch {
    // It was killed.
  }
  assert.isTrue(lstatSync(path).isSocket())
}

describe("FileLock", () => {
  it.effect("has one owner at a time, and leaves no file", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      const path = join(directory, "lock")
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* FileLock.hold(path)
          assert.deepStrictEqual(yield* Effect.flip(FileLock.hold(path)), here)
          assert.deepStrictEqual(readdirSync(directory), ["lock"])
        })
      )
      assert.deepStrictEqual(readdirSync(directory), [])
      yield* Effect.scoped(FileLock.hold(path))
    })
  )

  it.effect("needs a directory", () =>
    Effect.gen(function* () {
      const pipe = join(yield* Temporary.directory, "pipe")
      execFileSync("mkfifo", [pipe])
      const problem = yield* Effect.flip(FileLock.hold(join(pipe, "lock")))
      assert.deepStrictEqual(problem, { _tag: "Failed", code: "ENOTDIR" })
    })
  )

  it.effect("is taken over from a killed process by one of several processes", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "lock")
      leaveBehind(path)
      const exits = yield* Effect.all(
        Array.from({ length: 8 }, () => Effect.exit(FileLock.hold(path))),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(
        exits.filter(({ _tag }) => _tag === "Success"),
        1
      )
      assert.deepStrictEqual(yield* Effect.flip(FileLock.hold(path)), here)
    })
  )

  it.effect("may have a path that is longer than the address of a socket", () =>
    Effect.gen(function* () {
      const directory = join(yield* Temporary.directory, "d".repeat(120))
      mkdirSync(directory)
      const path = join(directory, "lock")
      yield* FileLock.hold(path)
      assert.deepStrictEqual(yield* Effect.flip(FileLock.hold(path)), here)
      assert.isTrue(existsSync(path))
    })
  )

  it.effect("names the error of the system", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      const nowhere = yield* Effect.flip(FileLock.hold(join(directory, "nowhere", "lock")))
      assert.deepStrictEqual(nowhere, { _tag: "Failed", code: "ENOENT" })
      if (process.getuid?.() === 0) return
      chmodSync(directory, 0o500)
      assert.propertyVal(yield* Effect.flip(FileLock.hold(join(directory, "lock"))), "_tag", "Failed")
    })
  )

  it.effect("refuses a second server with the same state directory", () =>
    Effect.gen(function* () {
      const stateDir = yield* Temporary.directory
      const start = Layer.build(Layer.provide(Layer.fresh(Quotas.layer), Config.layer({ stateDir })))
      yield* start
      const error = yield* Effect.flip(start)
      assert.strictEqual(
        error.message,
        `cannot keep the state in ${stateDir}: ${here.by} keeps its state there; each server needs a directory of its own`
      )
    })
  )

  it.effect("refuses a second server with the same bans file", () =>
    Effect.gen(function* () {
      const bansFile = join(yield* Temporary.directory, "bans.jsonl")
      const start = Layer.build(
        Layer.provide(Layer.fresh(BansFile.layer), [
          Layer.provide(Bans.layer, Hmac.layer),
          Config.layer({ bansFile })
        ])
      )
      yield* start
      const error = yield* Effect.flip(start)
      assert.strictEqual(
        error.message,
        `--bans-file: "${bansFile}" is not a file of this server alone: ${here.by} keeps its bans there`
      )
    })
  )
})
