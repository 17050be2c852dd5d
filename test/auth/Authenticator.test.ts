/**
 * Who comes in, and that nobody else learns anything from not coming in.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import * as Reply from "../../src/Reply.ts"
import * as AuthLayer from "../../src/server/AuthLayer.ts"
import * as Config from "../../src/server/Config.ts"
import { clientAddress } from "../../src/testing/index.ts"
import { fromHex, utf8 } from "../support/bytes.ts"
import { fields } from "../support/errors.ts"

const user = (name: string, password: string) => ({ name, password: Redacted.make(password) })

const longest = "x".repeat(255)

const users = Authenticator.layerUsers([
  user("alice", "secret"),
  user("bob", "hunter2"),
  user("jürgen", "pässwört"),
  user("nul", "sec\0ret"),
  user("long", longest),
  user(longest, "p"),
  user("a\ufffd", "replacement")
])

const verify = (name: string | Uint8Array, password: string | Uint8Array) =>
  Effect.flatMap(Authenticator, ({ verify }) =>
    verify(
      {
        username: typeof name === "string" ? utf8(name) : name,
        password: typeof password === "string" ? utf8(password) : password
      },
      clientAddress
    )
  )

const letsIn: ReadonlyArray<readonly [string, string, string]> = [
  ["the right password", "alice", "secret"],
  ["another user", "bob", "hunter2"],
  ["UTF-8", "jürgen", "pässwört"],
  ["a NUL within", "nul", "sec\0ret"],
  ["255 bytes of password", "long", longest],
  ["255 bytes of name", longest, "p"]
]

const keepsOut: ReadonlyArray<readonly [string, string | Uint8Array, string | Uint8Array]> = [
  ["a wrong password", "alice", "guess!"],
  ["another user's password", "alice", "hunter2"],
  ["a prefix", "alice", "secre"],
  ["what goes on", "alice", "secrets"],
  ["a suffix", "alice", "ecret"],
  ["other case", "alice", "Secret"],
  ["a NUL behind", "alice", "secret\0"],
  ["NULs to the end of the field", "alice", `secret${"\0".repeat(249)}`],
  ["the part before the NUL", "nul", "sec"],
  ["something else after the NUL", "nul", "sec\0xxx"],
  ["254 of 255 bytes", "long", longest.slice(1)],
  ["Latin-1 for UTF-8", fromHex("6a fc 72 67 65 6e"), "pässwört"],
  ["a decomposed name", "jürgen".normalize("NFD"), "pässwört"],
  ["an unknown user", "mallory", "secret"],
  ["an unknown user, all zeros", "mallory", "\0".repeat(255)],
  ["an unknown user, no password", "mallory", ""],
  ["a user, no password", "alice", ""],
  ["another case of the name", "Alice", "secret"],
  ["a prefix of the name", "alic", "secret"],
  ["a NUL behind the name", "alice\0", "secret"],
  ["a property of every object", "constructor", "secret"],
  ["a broken byte for the sign that stands for one", fromHex("61 ff"), "replacement"]
]

describe("Authenticator", () => {
  for (const [what, name, password] of letsIn) {
    it.effect(`accepts: ${what}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* verify(name, password), { user: name })
      }).pipe(Effect.provide(users))
    )
  }

  for (const [what, name, password] of keepsOut) {
    it.effect(`refuses: ${what}`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(verify(name, password)))._tag, "AuthenticationFailed")
      }).pipe(Effect.provide(users))
    )
  }

  it.effect("distinguishes an unknown user from a wrong password in the log, and not for clients", () =>
    Effect.gen(function* () {
      const unknown = yield* Effect.flip(verify("mallory", "guess"))
      const wrong = yield* Effect.flip(verify("alice", "guess"))
      for (const dialect of [Reply.socks5, Reply.socks4, Reply.http]) {
        assert.deepStrictEqual(dialect(unknown), dialect(wrong))
        assert.notMatch(JSON.stringify(dialect(wrong)), /wrong|password|alice|guess/)
      }
      const failed = { _tag: "AuthenticationFailed" }
      assert.deepStrictEqual(fields(unknown), { ...failed, user: "mallory", reason: "unknown user" })
      assert.deepStrictEqual(fields(wrong), { ...failed, user: "alice", reason: "wrong password" })
    }).pipe(Effect.provide(users))
  )

  it.effect("names the user of a failed login in printable form, without the password", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(verify("\x1b[2J\n", "hunter2"))
      assert.deepInclude(fields(error), { user: "\\u{1b}[2J\\u{a}" })
      assert.notInclude(JSON.stringify(error) + String(error), "hunter2")
    }).pipe(Effect.provide(users))
  )

  it.effect("asks for a password if there are users, and only then", () =>
    Effect.gen(function* () {
      const methods = (user: Config.Values["user"]) =>
        Effect.map(Authenticator, ({ methods }) => methods).pipe(
          Effect.provide(Layer.provide(AuthLayer.layer, Config.layer({ user })))
        )
      assert.deepStrictEqual(yield* methods([]), [0x00])
      assert.deepStrictEqual(yield* methods([user("alice", "secret")]), [0x02])
    })
  )

  it.effect("accepts no password if there are no users", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(verify("alice", "secret")))._tag, "AuthenticationFailed")
    }).pipe(Effect.provide(Authenticator.layerAnyone))
  )
})
