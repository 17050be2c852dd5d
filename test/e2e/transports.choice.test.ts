/**
 * Which transport serves, by the setting and by what the machine has.
 */
import { cp, mkdir } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Libc from "../../src/network/descriptors/Libc.ts"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"

/** The transport that a program says at its start, and its warnings about that. */
const chosen = Effect.fnUntraced(function* (kind: string, by: ReadonlyArray<string> = []) {
  const server = yield* Program.start(["--transport", kind], { by })
  const { transport } = yield* server.logged({ message: "listening" })
  yield* server.stop
  const warnings = server.lines().flatMap(({ level, message }) => (level === "warn" ? [String(message)] : []))
  return { transport, warnings: warnings.filter((warning) => warning.startsWith("transport")) }
}, Effect.scoped)

/** Runs a copy of the program beside which no package is installed. */
const alone = Effect.gen(function* () {
  const directory = yield* Temporary.directory
  yield* Effect.promise(async () => {
    await mkdir(join(directory, "dist"))
    for (const name of ["package.json", "dist/main.js", "dist/bundle"]) {
      await cp(name, join(directory, name), { recursive: true })
    }
  })
  return Program.shell(`exec "$1" ${directory}/dist/main.js "\${@:3}"`)
})

describe.concurrent("the transport", () => {
  it.live.runIf(Libc.isProven())("is descriptors by itself where all tests have run with them", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* chosen("auto"), { transport: "descriptors", warnings: [] })
    })
  )

  it.live("is Node's with the setting node", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* chosen("node"), { transport: "node", warnings: [] })
    })
  )

  it.live("is Node's without koffi, with a warning if the setting is descriptors", () =>
    Effect.gen(function* () {
      const by = yield* alone
      assert.deepStrictEqual(yield* chosen("auto", by), { transport: "node", warnings: [] })
      const reason = Libc.isProven() ? "the package koffi is not installed" : ""
      const { transport, warnings } = yield* chosen("descriptors", by)
      assert.strictEqual(transport, "node")
      assert.match(
        warnings.join(),
        new RegExp(`^transport: no descriptors here, so Node's sockets serve: ${reason}`)
      )
    })
  )
})
