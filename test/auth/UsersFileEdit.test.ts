/**
 * Changes of one user in the texts of users files: all else stays as it is.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as PasswordHash from "../../src/auth/PasswordHash.ts"
import * as UsersFile from "../../src/auth/UsersFile.ts"
import * as UsersFileEdit from "../../src/auth/UsersFileEdit.ts"

const old = `$2y$10$${"a".repeat(53)}`
const fresh = "$scrypt$ln=15,r=8,p=3$c2FsdHNhbHQ$AAECAwQFBgcICQoLDA0ODw"
const passwordHash = Redacted.make(Result.getOrThrow(PasswordHash.fromString(fresh)))

const add = (name: string, groups?: ReadonlyArray<string>): UsersFileEdit.Edit => ({
  ...{ _tag: "add", user: { name, passwordHash, ...(groups && { groups }) } }
})
const change = (index: number, to: { enabled?: boolean; hash?: true }): UsersFileEdit.Edit => ({
  _tag: "change",
  index,
  to: { enabled: to.enabled, ...(to.hash && { passwordHash }) }
})
const remove = (index: number): UsersFileEdit.Edit => ({ _tag: "remove", index })

type Case = [path: string, text: string, edit: UsersFileEdit.Edit, after: string | undefined]

describe("UsersFileEdit", () => {
  it.effect.each<Case>([
    // Lines.
    ["users", "", add("alice"), `alice:${fresh}\n`],
    ["users", "# people", add("alice"), `# people\nalice:${fresh}\n`],
    ["users", `\ufeffbob:${old}\r\n`, add("alice"), `\ufeffbob:${old}\r\nalice:${fresh}\r\n`],
    ["users", `# a\nbob:${old}\n\ncarol:${old}\n`, remove(0), `# a\n\ncarol:${old}\n`],
    ["users", `# a\nbob:${old}\n\ncarol:${old}`, remove(1), `# a\nbob:${old}\n\n`],
    [
      "users",
      `bob:${old}\r\ncarol:${old}\r\n`,
      change(0, { enabled: false }),
      `bob:!${old}\r\ncarol:${old}\r\n`
    ],
    ["users", `bob:!${old}\n`, change(0, { enabled: true }), `bob:${old}\n`],
    ["users", `bob:!${old} \n`, change(0, { hash: true }), `bob:!${fresh} \n`],
    ["users", `bob b:${old}`, change(0, { hash: true, enabled: false }), `bob b:!${fresh}`],
    // JSON.
    [
      "u.json",
      "[]\n",
      add("alice"),
      `[\n  {\n    "name": "alice",\n    "password-hash": "${fresh}"\n  }\n]\n`
    ],
    ["u.json", '["bob:b"]', add("alice"), `["bob:b",{"name":"alice","password-hash":"${fresh}"}]`],
    ["u.json", '[\n\t"bob:b:c",\n\t"dave:d"\n]', remove(0), '[\n\t"dave:d"\n]'],
    [
      "u.json",
      '["bob:b:c"]',
      change(0, { enabled: false }),
      '[{"name":"bob","password":"b:c","enabled":false}]'
    ],
    [
      "u.json",
      '[{"name":"bob","password":"b","enabled":false}]',
      change(0, { enabled: true, hash: true }),
      `[{"name":"bob","password-hash":"${fresh}"}]`
    ],
    // YAML.
    ["u.yaml", "[]\n", add("alice"), `- name: "alice"\n  password-hash: "${fresh}"\n`],
    [
      "u.yaml",
      "# ours\n---\n- bob:b # old\n",
      add("yes", ["a: b", "#c"]),
      `# ours\n---\n- bob:b # old\n- name: "yes"\n  password-hash: "${fresh}"\n  groups: ["a: b","#c"]\n`
    ],
    [
      "u.yml",
      "  - bob:b\n  # the end",
      add("alice"),
      `  - bob:b\n  - name: "alice"\n    password-hash: "${fresh}"\n  # the end`
    ],
    [
      "u.yaml",
      "# ours\n- bob:b\n\n# staff\n-\n  name: carol\n  # a comment\n  groups:\n  - staff\n- dave:d\n",
      remove(1),
      "# ours\n- bob:b\n\n# staff\n- dave:d\n"
    ],
    ["u.yaml", "# ours\r\n- bob:b\r\n# end\r\n", remove(0), "# ours\r\n[]\r\n# end\r\n"],
    [
      "u.yaml",
      "- bob:b\n- name: carol # c\n  password: x\n  groups: [staff] # two\n- dave:d\n",
      change(1, { enabled: false }),
      "- bob:b\n- name: carol # c\n  password: x\n  groups: [ staff ] # two\n  enabled: false\n- dave:d\n"
    ],
    [
      "u.yaml",
      "- { name: carol, password: x, enabled: false }\n",
      change(0, { enabled: true, hash: true }),
      `- { name: carol, password-hash: "${fresh}" }\n`
    ],
    [
      "u.yaml",
      "  - bob:b\n  - carol:c\n",
      change(0, { hash: true }),
      `  - name: bob\n    password-hash: ${fresh}\n  - carol:c\n`
    ],
    // Written in a way that is not changed.
    ["u.yaml", "[bob:b, carol:c]\n", remove(0), undefined],
    ["u.yaml", "- &a bob:b\n- *a\n", change(1, { enabled: false }), undefined],
    ["u.yaml", "- bob:b\n...\n", remove(0), undefined]
  ])("edits %j %j", ([path, text, edit, after]) =>
    Effect.gen(function* () {
      const edited = yield* Effect.promise(() => UsersFileEdit.apply(path, text, edit))
      assert.strictEqual(edited, after)
      if (edited !== undefined) yield* UsersFile.parse(path, edited)
    })
  )

  it.effect("is read as it was meant", () =>
    Effect.gen(function* () {
      for (const [path, empty] of [
        ["users", ""],
        ["users.yaml", "[]"],
        ["users.json", "[]"]
      ] as const) {
        let text: string = empty
        const edit = (edit: UsersFileEdit.Edit) =>
          Effect.gen(function* () {
            text = String(yield* Effect.promise(() => UsersFileEdit.apply(path, text, edit)))
            const users = yield* UsersFile.parse(path, text)
            return users.map(({ name, enabled = true }) => [name, enabled])
          })
        const odd = "y no'\"{[\\ é🦊"
        yield* edit(add("null"))
        yield* edit(add(odd))
        assert.deepStrictEqual(yield* edit(add("0123")), [
          ["null", true],
          [odd, true],
          ["0123", true]
        ])
        yield* edit(change(0, { enabled: false }))
        yield* edit(change(1, { enabled: false }))
        yield* edit(change(2, { enabled: false, hash: true }))
        assert.deepStrictEqual(yield* edit(change(1, { enabled: true })), [
          ["null", false],
          [odd, true],
          ["0123", false]
        ])
        yield* edit(remove(0))
        yield* edit(remove(1))
        assert.deepStrictEqual(yield* edit(remove(0)), [])
        assert.deepStrictEqual(yield* edit(add("again")), [["again", true]])
      }
    })
  )
})
