/**
 * Making way for a socket in the file system, and its permissions.
 */
import { existsSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as UnixSocket from "../../src/server/UnixSocket.ts"
import { directory } from "../support/temporary.ts"

describe("the path of a socket", () => {
  it.effect("is free in an existing directory without a file of its name", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* UnixSocket.clear(join(path, "socket"))
      assert.strictEqual(yield* Effect.flip(UnixSocket.clear(join(path, "none", "socket"))), "ENOENT")
    })
  )

  it.effect("is not free if there is a file, which stays", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "notes")
      writeFileSync(path, "dear diary")
      assert.strictEqual(yield* Effect.flip(UnixSocket.clear(path)), "ENOTSOCK")
      assert.isTrue(existsSync(path))
    })
  )
})

describe("permissions", () => {
  it.effect("are the given ones from the first moment on, and the mask is as before", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "file")
      const mask = process.umask()
      UnixSocket.withMode(0o620, () => writeFileSync(path, "", { mode: 0o777 }))
      assert.strictEqual(statSync(path).mode & 0o777, 0o620)
      assert.throws(() =>
        UnixSocket.withMode(0o600, () => {
          throw new Error("cannot be bound")
        })
      )
      assert.strictEqual(process.umask(), mask)
      UnixSocket.setMode(path, 0o600)
      assert.strictEqual(statSync(path).mode & 0o777, 0o600)
      // One that is gone is nobody's affair.
      UnixSocket.setMode(`${path}.gone`, 0o600)
    })
  )
})
