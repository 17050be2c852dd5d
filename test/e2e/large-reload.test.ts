/**
 * Settings with very many rules, read again and again.
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"

const rules = 100_000

/** Megabytes of heap for objects that stay: for those of the program, and for none of each rule. */
const heap = 60

describe("100,000 rules", () => {
  it.live("are read again and again, and are not objects in memory", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "effect-socks.yaml")
      const lines = Array.from(
        { length: rules },
        (_, i) => `  - { name: r${i}, deny: true, to: h${i}.example.com }`
      )
      yield* Effect.promise(() => writeFile(path, `listen: 127.0.0.1:0\nrules:\n${lines.join("\n")}\n`))
      const server = yield* Program.start(["--config", path], {
        env: { NODE_OPTIONS: `--max-old-space-size=${heap}` }
      })
      for (let count = 1; count <= 2; count++) {
        yield* server.kill("SIGHUP")
        assert.strictEqual((yield* server.logged({ message: "reloaded" }, count)).level, "info")
      }
    })
  )
})
