/**
 * The files that settings are read from.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Files, Known } from "../../src/config/Files.ts"
import * as MemoryFiles from "../support/files.ts"

const files = {
  "/a": "text",
  "/latin1": Uint8Array.of(0xe4),
  "/huge": new Uint8Array(Files.limit + 1),
  "/directory": "Directory"
}

const test = <A, E>(name: string, run: (files: Files["Service"]) => Effect.Effect<A, E>) =>
  it.effect(name, () => Effect.flatMap(Files.make, run).pipe(Effect.provide(MemoryFiles.layer(files))))

describe("files", () => {
  test("are read as text, and remembered with their text", ({ read, seen, texts }) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* read("/a"), "text")
      yield* Effect.flip(read("/none"))
      assert.deepStrictEqual([...seen], ["/a", "/none"])
      assert.deepStrictEqual([...texts], [["/a", "text"]])
    }))

  for (const [path, reason] of [
    ["/none", "does not exist"],
    ["/directory", "is no file"],
    ["/huge", "is larger than 16 MiB"],
    ["/latin1", "is not UTF-8"]
  ] as const) {
    test(`are refused with a reason: ${path} ${reason}`, ({ read }) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* Effect.flip(read(path)), reason)
      }))
  }

  test("are not read again if their text is known", ({ read }) =>
    Effect.gen(function* () {
      const known = Effect.provideService(Known, new Map([["/none", "known"]]))
      assert.strictEqual(yield* known(read("/none")), "known")
    }))
})
