/**
 * A log file that is looked at once a second, by the clock of the machine.
 */
import { existsSync, readFileSync, renameSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as LogFile from "../../src/base/LogFile.ts"
import * as Temporary from "../support/temporary.ts"

describe("a log file", () => {
  it.live("is opened again without a signal", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "proxy.log")
      const { write } = yield* LogFile.open(path)
      renameSync(path, `${path}.1`)
      while (!existsSync(path)) {
        yield* Effect.sleep("50 millis")
        write(["line"])
      }
      assert.strictEqual(readFileSync(path, "utf8"), "line\n")
    })
  )
})
