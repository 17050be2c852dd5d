/**
 * A file that is the old state or the new one, and refused where it is neither.
 */
import {
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as StateFile from "../../src/base/StateFile.ts"
import { fields } from "../support/errors.ts"
import * as Temporary from "../support/temporary.ts"

const Form = Schema.Struct({ version: Schema.Literal(1), count: Schema.Int })

const file = Effect.map(Temporary.directory, (directory) => join(directory, "state.json"))

const reason = (path: string) => Effect.map(Effect.flip(StateFile.read(path, Form)), fields)

describe("StateFile", () => {
  it.effect("is empty at first, and then has what was written last", () =>
    Effect.gen(function* () {
      const path = yield* file
      assert.deepStrictEqual(yield* StateFile.read(path, Form), Option.none())
      for (const count of [1, 200, 3]) {
        yield* StateFile.write(path, Form, { version: 1, count })
        assert.deepStrictEqual(yield* StateFile.read(path, Form), Option.some({ version: 1, count }))
      }
    })
  )

  it.effect("is readable for its owner only, and leaves no other file", () =>
    Effect.gen(function* () {
      const path = yield* file
      yield* StateFile.write(path, Form, { version: 1, count: 1 })
      assert.strictEqual(statSync(path).mode & 0o777, 0o600)
      assert.deepStrictEqual(readdirSync(join(path, "..")), ["state.json"])
    })
  )

  it.effect("is written without following a link beside it", () =>
    Effect.gen(function* () {
      const path = yield* file
      writeFileSync(`${path}.other`, "precious")
      symlinkSync(`${path}.other`, `${path}.new`)
      yield* StateFile.write(path, Form, { version: 1, count: 1 })
      assert.strictEqual(readFileSync(`${path}.other`, "utf8"), "precious")
      assert.isTrue(lstatSync(path).isFile())
    })
  )

  it.effect("is refused when it is truncated at any byte", () =>
    Effect.gen(function* () {
      const path = yield* file
      yield* StateFile.write(path, Form, { version: 1, count: 42 })
      const whole = readFileSync(path)
      for (let length = 0; length < whole.length; length++) {
        writeFileSync(path, whole.subarray(0, length))
        const reason = "it is not whole, or of another version"
        assert.deepStrictEqual(yield* Effect.map(Effect.flip(StateFile.read(path, Form)), fields), {
          _tag: "StateFailed",
          path,
          reason
        })
      }
    })
  )

  for (const text of [
    '{"version":2,"count":42}',
    '{"count":42}',
    "null",
    "[]",
    '{"version":1,"count":"42"}',
    "\0"
  ]) {
    it.effect(`is refused with the text ${JSON.stringify(text)}`, () =>
      Effect.gen(function* () {
        const path = yield* file
        writeFileSync(path, text)
        assert.propertyVal(yield* reason(path), "reason", "it is not whole, or of another version")
      })
    )
  }

  it.effect("survives an end of the process during a write", () =>
    Effect.gen(function* () {
      const path = yield* file
      yield* StateFile.write(path, Form, { version: 1, count: 1 })
      writeFileSync(`${path}.new`, '{"versi')
      assert.deepStrictEqual(yield* StateFile.read(path, Form), Option.some({ version: 1, count: 1 }))
      yield* StateFile.write(path, Form, { version: 1, count: 2 })
      assert.deepStrictEqual(yield* StateFile.read(path, Form), Option.some({ version: 1, count: 2 }))
    })
  )

  it.effect("names the reason if it cannot be read or written", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      assert.propertyVal(yield* reason(directory), "reason", "EISDIR")
      const nowhere = join(directory, "nowhere", "state.json")
      const error = yield* Effect.flip(StateFile.write(nowhere, Form, { version: 1, count: 1 }))
      assert.strictEqual(error.message, `cannot keep the state in ${nowhere}: its directory does not exist`)
      if (process.getuid?.() === 0) return
      chmodSync(directory, 0o500)
      const denied = yield* Effect.flip(
        StateFile.write(join(directory, "it"), Form, { version: 1, count: 1 })
      )
      assert.strictEqual(denied.reason, "this process may not")
    })
  )
})
