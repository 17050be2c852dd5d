/**
 * A file that is replaced as a whole, whatever lies beside it.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as AtomicFile from "../../src/base/AtomicFile.ts"
import * as Temporary from "../support/temporary.ts"

describe("AtomicFile", () => {
  it.effect("is readable for its owner only, and leaves no other file", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      const path = join(directory, "file")
      for (const text of ["first", "second", ""]) {
        const { ino, size } = yield* Effect.promise(() => AtomicFile.replace(path, text))
        assert.strictEqual(readFileSync(path, "utf8"), text)
        assert.strictEqual(lstatSync(path).mode & 0o777, 0o600)
        assert.deepStrictEqual([ino, size], [BigInt(lstatSync(path).ino), BigInt(text.length)])
      }
      assert.deepStrictEqual(readdirSync(directory), ["file"])
    })
  )

  it.effect("has a long text as it is, also where a character is cut", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "file")
      for (const text of ["🦊".repeat(200_000), `a${"🦊".repeat(200_000)}`, `${"a".repeat(131_071)}\ud83e`]) {
        yield* Effect.promise(() => AtomicFile.replace(path, text))
        assert.isTrue(readFileSync(path, "utf8") === Buffer.from(text).toString())
      }
    })
  )

  it.effect("follows no link, neither beside it nor in its place", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      const path = join(directory, "file")
      const other = join(directory, "other")
      writeFileSync(other, "precious")
      symlinkSync(other, `${path}.new`)
      symlinkSync(other, path)
      yield* Effect.promise(() => AtomicFile.replace(path, "text"))
      assert.strictEqual(readFileSync(other, "utf8"), "precious")
      assert.isTrue(lstatSync(path).isFile())
      assert.strictEqual(readFileSync(path, "utf8"), "text")
    })
  )

  it.effect("leaves no other file when it cannot be replaced", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      const path = join(directory, "taken")
      mkdirSync(path)
      const code = yield* Effect.promise(() =>
        AtomicFile.replace(path, "text").catch(({ code }: NodeJS.ErrnoException) => code)
      )
      assert.strictEqual(code, "EISDIR")
      assert.deepStrictEqual(readdirSync(directory), ["taken"])
    })
  )
})
