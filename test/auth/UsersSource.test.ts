/**
 * The file of users on disk: refused at the start if it is bad, read again when
 * it changes, and never the reason for anyone to lose their users.
 */
import { chmod, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Users } from "../../src/auth/Users.ts"
import * as UsersRefresh from "../../src/auth/UsersRefresh.ts"
import * as UsersSource from "../../src/auth/UsersSource.ts"
import * as RuleNames from "../../src/policy/RuleNames.ts"
import * as Config from "../../src/server/Config.ts"
import { utf8 } from "../support/bytes.ts"
import { captured } from "../support/logs.ts"
import * as Temporary from "../support/temporary.ts"

const hash = `$2y$10$${"a".repeat(53)}`
const alice = { name: "alice", password: Redacted.make("secret") }

const users = (usersFile: string, user: Config.Values["user"] = [], rules: Config.Values["rules"] = []) =>
  UsersSource.layer.pipe(
    Layer.provide(RuleNames.layer),
    Layer.provide(Config.layer({ user, usersFile, rules }))
  )

const error = (path: string, user: Config.Values["user"] = []) =>
  Effect.map(Effect.flip(Layer.build(users(path, user))), ({ message }) => message)

/** Which of these names are known. */
const known = (...names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { current } = yield* Users
    const { find } = yield* current
    return names.filter((name) => find(utf8(name)) !== undefined)
  })

/** A look at the file, with as much of the system's work behind it as it takes. */
const look = Effect.andThen(
  TestClock.adjust("2 seconds"),
  Effect.promise(async () => {
    for (let time = 0; time < 5; time++) await readFile(import.meta.filename)
  })
)
const looked = Effect.repeat(look, { times: 2 })

const write = (path: string, text: string) => Effect.promise(() => writeFile(path, text))

describe("a file of users", () => {
  it.effect("adds its users to those of the configuration", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "users.yaml")
      yield* write(path, "- bob:secret\n")
      const found = yield* Effect.provide(known("alice", "bob", "mallory"), users(path, [alice]))
      assert.deepStrictEqual(found, ["alice", "bob"])
    })
  )

  it.effect("is refused at the start, with the place and the reason", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "users")
      assert.strictEqual(
        yield* error(path),
        `--users-file: "${path}" is not a file that can be read (ENOENT)`
      )
      yield* write(path, `bob:${hash}\nalice:hunter2\n`)
      assert.strictEqual(
        yield* error(path),
        `--users-file: line 2 of "${path}" is not NAME:HASH with a hash of scrypt or bcrypt: it is a ` +
          "password in plain text"
      )
      yield* write(path, `bob:${hash}\n\nbob:${hash}\n`)
      assert.strictEqual(
        yield* error(path),
        `--users-file: line 3 of "${path}" is not the only user of its name: line 1 has "bob" too`
      )
      yield* write(path, `alice:${hash}\n`)
      assert.strictEqual(
        yield* error(path, [alice]),
        '--users-file: "alice" is not the only user of its name'
      )
      assert.strictEqual(
        yield* error(path, [alice, alice]),
        '--user: "alice" is not the only user of its name'
      )
    })
  )

  it.effect("is read again when it changes", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "users")
      const { lines, layer } = captured()
      yield* write(path, `alice:${hash}\ncarol:${hash}\n`)
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* known("alice", "bob", "carol"), ["alice", "carol"])
        yield* write(`${path}.new`, `bob:${hash}\ncarol:${hash}\n`)
        yield* Effect.promise(() => rename(`${path}.new`, path))
        yield* looked
        assert.deepStrictEqual(yield* known("alice", "bob", "carol"), ["bob", "carol"])
        assert.deepStrictEqual(
          lines.map(({ level, fields }) => [level, fields.gone, fields.came]),
          [["Info", 1, 1]]
        )
      }).pipe(Effect.provide(Layer.provideMerge(users(path), layer)))
    })
  )

  it.effect("removes no user while it is emptied and slowly filled again", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "users")
      const { lines, layer } = captured()
      const names = ["alice", "bob", "carol", "dave"]
      const text = (some: ReadonlyArray<string>) => some.map((name) => `${name}:${hash}\n`).join("")
      yield* write(path, text(names))
      yield* Effect.gen(function* () {
        for (let count = 0; count < names.length; count++) {
          yield* write(path, text(names.slice(0, count)))
          for (let time = 0; time < 5; time++) yield* look
          assert.deepStrictEqual(yield* known(...names), names)
        }
        yield* write(path, text([...names, "erin"]))
        yield* looked
        assert.deepStrictEqual(yield* known(...names, "erin"), [...names, "erin"])
        assert.deepStrictEqual(
          lines.map(({ level, fields }) => [level, fields.gone, fields.came]),
          [...[4, 3, 2, 1].map((gone) => ["Error", gone, 0]), ["Info", 0, 1]]
        )
      }).pipe(Effect.provide(Layer.provideMerge(users(path), layer)))
    })
  )

  it.effect("removes missing users when it has not changed for a while, and adds new users at once", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "users")
      const { lines, layer } = captured()
      yield* write(path, `alice:${hash}\n`)
      yield* Effect.gen(function* () {
        yield* write(path, `bob:${hash}\n`)
        yield* looked
        assert.deepStrictEqual(yield* known("alice", "bob"), ["alice", "bob"])
        for (let time = 0; time < 16; time++) yield* look
        assert.deepStrictEqual(yield* known("alice", "bob"), ["bob"])
        assert.deepStrictEqual(
          lines.map(({ level, fields }) => [level, fields.gone]),
          [
            ["Error", 1],
            ["Warn", 1]
          ]
        )
      }).pipe(Effect.provide(Layer.provideMerge(users(path), layer)))
    })
  )

  it.effect("is read at once by a refresh, which keeps no user who was revoked", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "users")
      const refresh = UsersRefresh.make()
      yield* write(path, `alice:${hash}\nbob:${hash}\ncarol:${hash}\n`)
      yield* Effect.gen(function* () {
        yield* write(path, `dave:${hash}\n`)
        yield* refresh.run(["alice"])
        // Bob and Carol may be missing by mistake.
        assert.deepStrictEqual(yield* known("alice", "bob", "carol", "dave"), ["bob", "carol", "dave"])
        yield* write(path, `alice:hunter2\n`)
        assert.include((yield* Effect.flip(refresh.run(["bob"]))).message, "line 1")
        assert.deepStrictEqual(yield* known("alice", "bob", "carol", "dave"), ["bob", "carol", "dave"])
      }).pipe(Effect.provide(users(path)), Effect.provideService(UsersRefresh.UsersRefresh, refresh))
      // The source is gone.
      yield* refresh.run([])
    })
  )

  it.effect("is not read while it is being written", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "users")
      yield* write(path, `alice:${hash}\n`)
      yield* Effect.gen(function* () {
        for (let size = 1; size < 5; size++) {
          yield* write(path, `bob:${hash}\n`.repeat(size))
          yield* look
          assert.deepStrictEqual(yield* known("alice", "bob"), ["alice"])
        }
        yield* write(path, `bob:${hash}\n`)
        yield* looked
        assert.deepStrictEqual(yield* known("alice", "bob"), ["alice", "bob"])
      }).pipe(Effect.provide(users(path)))
    })
  )

  it.effect(
    "leaves the users as they were while it is invalid, logs one error, and is read when it is valid again",
    () =>
      Effect.gen(function* () {
        const path = join(yield* Temporary.directory, "users")
        const { lines, layer } = captured()
        const said = () => lines.splice(0).map(({ level, fields }) => [level, fields.error ?? fields.file])
        yield* write(path, `alice:${hash}\n`)
        yield* Effect.gen(function* () {
          yield* write(path, `alice:${hash}\nbob:hunter2\n`)
          yield* looked
          yield* looked
          assert.deepStrictEqual(yield* known("alice", "bob"), ["alice"])
          assert.deepStrictEqual(said(), [
            [
              "Error",
              `--users-file: line 2 of "${path}" is not NAME:HASH with a hash of scrypt or bcrypt: it is a ` +
                "password in plain text"
            ]
          ])
          yield* Effect.promise(() => rm(path))
          yield* looked
          yield* looked
          assert.deepStrictEqual(yield* known("alice", "bob"), ["alice"])
          assert.deepStrictEqual(said(), [
            ["Error", `--users-file: "${path}" is not a file that can be read (ENOENT)`]
          ])
          yield* write(path, `alice:${hash}\nbob:${hash}\n`)
          yield* Effect.promise(() => chmod(path, 0o600))
          yield* looked
          assert.deepStrictEqual(yield* known("alice", "bob"), ["alice", "bob"])
          assert.deepStrictEqual(said(), [["Info", path]])
        }).pipe(Effect.provide(Layer.provideMerge(users(path), layer)))
      })
  )

  it.effect("is refused when a rule names a group that is gone", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "users.yaml")
      const { lines, layer } = captured()
      yield* write(path, "- { name: alice, password: secret, groups: [staff] }\n")
      const rules = [{ deny: true, groups: ["staff"] }] as const
      yield* Effect.gen(function* () {
        yield* write(path, "- { name: alice, password: secret, groups: [stuff] }\n")
        yield* looked
        const { users } = yield* (yield* Users).current
        assert.deepStrictEqual(users[0]?.groups, ["staff"])
        assert.deepStrictEqual(
          lines.map(({ level, fields }) => [level, fields.error]),
          [["Error", '--rules: group "staff" of rule 1 is not a group of any user']]
        )
      }).pipe(Effect.provide(Layer.provideMerge(users(path, [], rules), layer)))
    })
  )
})
