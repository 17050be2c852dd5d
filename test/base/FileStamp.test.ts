/**
 * Whether a file has changed, as looks at it from time to time find it.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileStamp from "../../src/base/FileStamp.ts"

const directory = mkdtempSync(join(tmpdir(), "stamp-"))
afterAll(() => rmSync(directory, { recursive: true }))

const path = join(directory, "file")

const following = Effect.gen(function* () {
  writeFileSync(path, "one")
  const followed = FileStamp.follow(path, yield* FileStamp.read(path))
  return { ...followed, state: Effect.map(followed.look, ({ state }) => state) }
})

describe("FileStamp", () => {
  it.effect("reports a change after two equal readings", () =>
    Effect.gen(function* () {
      const { state } = yield* following
      assert.strictEqual(yield* state, "same")
      writeFileSync(path, "one and")
      assert.strictEqual(yield* state, "changing")
      writeFileSync(path, "one and two")
      assert.strictEqual(yield* state, "changing")
      assert.strictEqual(yield* state, "changed")
    })
  )

  it.effect("reports the change until it is accepted", () =>
    Effect.gen(function* () {
      const { state, look, accept } = yield* following
      writeFileSync(path, "two")
      assert.strictEqual(yield* state, "changing")
      assert.strictEqual(yield* state, "changed")
      accept((yield* look).stamp)
      assert.strictEqual(yield* state, "same")
    })
  )

  it.effect("distinguishes another file of the same length", () =>
    Effect.gen(function* () {
      const { state } = yield* following
      writeFileSync(`${path}.other`, "two")
      renameSync(`${path}.other`, path)
      assert.strictEqual(yield* state, "changing")
      assert.strictEqual(yield* state, "changed")
    })
  )

  it.effect("reports that the file is gone", () =>
    Effect.gen(function* () {
      const { state } = yield* following
      rmSync(path)
      assert.strictEqual(yield* state, "changing")
      assert.strictEqual(yield* state, "gone")
    })
  )
})
