/**
 * The token that the server makes and keeps.
 */
import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Token from "../../src/admin/Token.ts"
import { directory } from "../support/temporary.ts"

const settings = (path: string) => ({
  admin: NetAddress.unixPathAddress(join(path, "admin.sock")),
  adminToken: undefined,
  stateDir: path
})

describe("the token", () => {
  it.live("is made once, for its user alone", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const first = yield* Token.kept(settings(path))
      assert.strictEqual(first.path, join(path, "admin-token"))
      assert.strictEqual(statSync(first.path!).mode & 0o777, 0o600)
      assert.match(Redacted.value(first.token), /^[\w-]{43}$/)
      assert.strictEqual(readFileSync(first.path!, "utf8").trim(), Redacted.value(first.token))
      for (const again of [Token.kept, Token.known]) {
        assert.strictEqual(Redacted.value((yield* again(settings(path))).token), Redacted.value(first.token))
      }
    })
  )

  it.live("is the one of the settings, if they have one", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const given = yield* Token.kept({ ...settings(path), adminToken: Redacted.make("given") })
      assert.deepStrictEqual([Redacted.value(given.token), given.path], ["given", undefined])
    })
  )

  it.live("is not taken from a file that other users can read or write", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const file = join(path, "admin-token")
      const reason = Effect.map(Effect.flip(Token.kept(settings(path))), (error) => error.reason)
      assert.include((yield* Effect.flip(Token.known(settings(path)))).reason, "there is no such file")
      writeFileSync(file, "a".repeat(40))
      chmodSync(file, 0o644)
      assert.include(yield* reason, "others can read it")
      chmodSync(file, 0o600)
      writeFileSync(file, "short\n")
      assert.include(yield* reason, "16 characters")
      const other = yield* directory
      symlinkSync(file, join(other, "admin-token"))
      assert.include((yield* Effect.flip(Token.kept(settings(other)))).reason, "ELOOP")
    })
  )

  it("is kept in the state directory, beside the socket, or in the state of the user", () => {
    const { admin } = settings("/run")
    assert.strictEqual(Token.pathOf({ admin, stateDir: "/state" }), "/state/admin-token")
    assert.strictEqual(Token.pathOf({ admin, stateDir: undefined }), "/run/admin.sock.token")
  })
})
