/**
 * Files of users, good and bad.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as UsersFile from "../../src/auth/UsersFile.ts"

const bcrypt = `$2y$10$${"a".repeat(53)}`
const scrypt = "$scrypt$ln=15,r=8,p=3$c2FsdHNhbHQ$AAECAwQFBgcICQoLDA0ODw"

const names = (path: string, text: string) =>
  Effect.map(UsersFile.parse(path, text), (users) => users.map(({ name }) => name))

describe("UsersFile", () => {
  it.effect("reads hashes of htpasswd and of scrypt", () =>
    Effect.gen(function* () {
      const text = `\ufeff# people\r\nalice:${bcrypt}\r\n\r\nbob b:${scrypt}\n`
      assert.deepStrictEqual(yield* names("/etc/users", text), ["alice", "bob b"])
      assert.deepStrictEqual(yield* names("/etc/users", ""), [])
    })
  )

  it.effect("reads a line that is there again no second time", () =>
    Effect.gen(function* () {
      const memo = UsersFile.makeMemo()
      const [alice, bob] = yield* UsersFile.parse("users", `alice:${bcrypt}\nbob:${bcrypt}\n`, memo)
      const again = yield* UsersFile.parse("users", `# new\nbob:${scrypt}\nalice:${bcrypt}\n`, memo)
      assert.notStrictEqual(again[0], bob)
      assert.strictEqual(again[1], alice)
      // The place of an error is that of now.
      const twice = `alice:${bcrypt}\n\nalice:${bcrypt}\n`
      assert.deepInclude(yield* Effect.flip(UsersFile.parse("users", twice, memo)), { where: "line 3" })
    })
  )

  it.effect("reads who may not log in", () =>
    Effect.gen(function* () {
      for (const [path, text] of [
        ["users", `alice:${bcrypt}\nbob:!${scrypt}\n`],
        ["users.yaml", "- alice:secret\n- { name: bob, password: secret, enabled: false }\n"]
      ] as const) {
        const users = yield* UsersFile.parse(path, text)
        assert.deepStrictEqual(
          users.map(({ enabled = true }) => enabled),
          [true, false]
        )
      }
    })
  )

  it.effect("reads a list of users", () =>
    Effect.gen(function* () {
      const yaml = `- alice:secret\n- name: bob\n  password-hash: ${bcrypt}\n  groups: [staff]\n`
      for (const path of ["users.yaml", "users.YML"]) {
        assert.deepStrictEqual(yield* names(path, yaml), ["alice", "bob"])
      }
      assert.deepStrictEqual(yield* names("users.json", '["alice:secret", {"name": "bob"}]'), [
        "alice",
        "bob"
      ])
      assert.deepStrictEqual(yield* names("users.json", "[]"), [])
    })
  )

  it.effect("reads YAML like the config file, without variables", () =>
    Effect.gen(function* () {
      const yaml = `- name: 0123\n- name: "456"\n- &a carol:\${HOME}\n`
      assert.deepStrictEqual(yield* names("users.yaml", yaml), ["0123", "456", "carol"])
      const long = `${"# a comment\n".repeat(50_000)}- alice:secret\n`
      assert.deepStrictEqual(yield* names("users.yaml", long), ["alice"])
    })
  )

  it.effect.each<[path: string, text: string, where: string, expected: string]>([
    ["users", "alice", "line 1", "NAME:HASH, the name 1 to 255 bytes"],
    ["users", `\n:${bcrypt}`, "line 2", "NAME:HASH, the name 1 to 255 bytes"],
    [
      "users",
      `alice:${bcrypt}\nbob:hunter2`,
      "line 2",
      "NAME:HASH with a hash of scrypt or bcrypt: it is a password in plain text"
    ],
    [
      "users",
      "#\nbob:$apr1$abcdefgh$hunter2",
      "line 2",
      "NAME:HASH with a hash of scrypt or bcrypt: it is MD5, which is guessed too fast"
    ],
    [
      "users",
      `alice:${bcrypt}\nbob:${bcrypt}\n\nalice:${scrypt}`,
      "line 4",
      'the only user of its name: line 1 has "alice" too'
    ],
    ["users.yaml", "- alice:a\n- alice:b", "user 2", 'the only user of its name: user 1 has "alice" too'],
    ["users.yaml", "alice: hunter2", "all of it", "a list of users"],
    ["users.yaml", "", "all of it", "a list of users"],
    ["users.yaml", "- name: bob\n  password: *hunter2", "line 2", "YAML"],
    ["users.yaml", "- name: bob\n\tpassword: hunter2", "line 2", "YAML"],
    ["users.json", '["alice:hunter2"', "all of it", "JSON"],
    ["users.json", "[5]", "user 1", "NAME:PASSWORD, or an object with a name"],
    ["users.yaml", "- { name: bob, enabled: hunter2 }", "user 1, enabled", "true or false"],
    [
      "users",
      "bob:!hunter2",
      "line 1",
      "NAME:HASH with a hash of scrypt or bcrypt: it is a password in plain text"
    ],
    ["users.yaml", "- hunter2", "user 1", "NAME:PASSWORD, each 1 to 255 bytes, the name without a colon"],
    ["users.yaml", "- password: hunter2", "user 1, name", "there"],
    ["users.yaml", "- name: bob\n  passwrod: hunter2", "user 1, passwrod", "a setting of a user"],
    [
      "users.yaml",
      "- name: bob\n  password: 123456",
      "user 1, password",
      "a text of 1 to 255 bytes, in quotes if it looks like something else"
    ],
    [
      "users.yaml",
      `- name: bob\n  password: hunter2\n  password-hash: ${bcrypt}`,
      "user 1",
      "a user with a password or with a hash of one, but not with both"
    ],
    [
      "users.yaml",
      "- name: bob\n  limits: {sessions: 0}",
      "user 1, limits, sessions",
      "a whole number above 0, or off"
    ]
  ])("tells what is wrong: %s, %j", ([path, text, where, expected]) =>
    Effect.gen(function* () {
      const flaw = yield* Effect.flip(UsersFile.parse(path, text))
      assert.deepStrictEqual(flaw, { where, expected })
      assert.notMatch(JSON.stringify(flaw), /hunter2|123456/)
    })
  )
})
