/**
 * Settings with a structure, which only the config file has.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { User } from "../../src/auth/User.ts"
import * as Rule from "../../src/config/Rule.ts"
import * as Schemas from "../../src/config/Schemas.ts"
import { errors, read } from "../support/config-file.ts"

describe("a setting with a structure", () => {
  const forms = {
    rules: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        action: Schema.Literals(["allow", "deny"]),
        to: Schema.optionalKey(
          Schemas.list(
            Schemas.text({
              read: Option.liftPredicate((text: string) => text.includes("/")),
              expected: "a network"
            }),
            { canBeEmpty: true }
          )
        ),
        rate: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0)))
      }).check(Schema.makeFilter(({ name }) => name !== "default" || "default is the name of another rule"))
    ),
    users: Schema.Array(Schema.Struct({ name: Schema.String, password: Schemas.secret }))
  }

  it.effect("is read by its schema", () =>
    Effect.gen(function* () {
      const text =
        "rules: [{ name: a, action: deny, to: 10.0.0.0/8, rate: 5 }]\nusers: [{ name: alice, password: 0123 }]"
      const { values } = yield* read(text, { forms })
      const { rules, users } = values as { readonly rules: unknown; readonly users: ReadonlyArray<User> }
      assert.deepStrictEqual(rules, [{ name: "a", action: "deny", to: ["10.0.0.0/8"], rate: 5 }])
      assert.strictEqual(Redacted.value(users[0]!.password!), "0123")
    })
  )

  it.effect("has the messages of its schema", () =>
    Effect.gen(function* () {
      const text = `rules:
  - { name: 5, action: permit, to: x, rate: 0 }
  - { name: default, action: deny }
  - deny
  - { action: deny, nam: x }
users:
  - alice:hunter2
  - { name: bob, password: [hunter2] }
  - { name: carol, password: { file: secret } }
`
      assert.deepStrictEqual(yield* errors(text, { forms }), [
        "f.yaml:2:13: rules[0].name: 5 is not a text",
        'f.yaml:2:24: rules[0].action: "permit" is not one of allow and deny',
        'f.yaml:2:36: rules[0].to: "x" is not a network',
        "f.yaml:2:45: rules[0].rate: 0 is not a value greater than 0",
        "f.yaml:3:5: rules[1]: default is the name of another rule",
        'f.yaml:4:5: rules[2]: "deny" is not a map of keys and values',
        "f.yaml:5:5: rules[3].name is missing",
        "f.yaml:5:21: rules[3].nam is no setting; did you mean name?",
        "f.yaml:7:5: users[0]: what was given is not a map of keys and values",
        "f.yaml:8:28: users[1].password: what was given is not a text or { file: PATH }",
        'f.yaml:9:30: users[2].password: "secret" does not exist'
      ])
    })
  )
})

describe("users", () => {
  it.effect("are texts, or maps whose secrets can be in files", () =>
    Effect.gen(function* () {
      const text = `users:
  - alice:a
  - { file: bob }
  - { name: carol, password: c, groups: [staff], limits: { sessions: 5 } }
  - { name: dave, password: { file: dave } }
  - { name: erin, password: 0123 }
  - name: frank
    password-hash: { file: frank }
`
      const hash = "$2b$04$abcdefghijklmnopqrstuuOGNVUAIYDX9UGiBBCrJKqBZvsUJ5lmu"
      const { values } = yield* read(text, { files: { bob: "bob:b\n", dave: "d\n\n", frank: hash } })
      const { users } = values as { readonly users: ReadonlyArray<User> }
      assert.deepStrictEqual(
        users.map(({ name, password }) => [name, password && Redacted.value(password)]),
        [
          ["alice", "a"],
          ["bob", "b"],
          ["carol", "c"],
          // One line break is the file's.
          ["dave", "d\n"],
          ["erin", "0123"],
          ["frank", undefined]
        ]
      )
      assert.strictEqual(Redacted.value(users[5]!.passwordHash!)._tag, "Bcrypt")
      assert.deepStrictEqual([users[2]?.groups, users[2]?.limits], [["staff"], { sessions: 5 }])
    })
  )

  it.effect("are never shown in messages, however malformed", () =>
    Effect.gen(function* () {
      const text = `users:
  - hunter2
  - { name: a, password: [hunter2] }
  - { name: b, password-hash: hunter2 }
  - { name: c, password: hunter2, password-hash: { file: hash } }
  - { name: d, password: hunter2, groups: staff }
  - [hunter2]
`
      const found = yield* errors(text, { files: { hash: "hunter2" } })
      assert.notInclude(found.join(), "hunter2")
      assert.deepStrictEqual(
        found.map((line) => line.replace(/^f\.yaml:(\d+).*?: ([\w[\].-]+).*/, "$1 $2")),
        [
          "2 users[0]",
          "3 users[1].password",
          "4 users[2].password-hash",
          "5 users[3].password-hash",
          "6 users[4].groups",
          "7 users[5]"
        ]
      )
    })
  )
})

describe("rules", () => {
  it.effect("are reported with their places, like everything in the file", () =>
    Effect.gen(function* () {
      const text = `rules:
  - { allow: true, to: ["*.example.com", 10.0.0.0/8], ports: 443 }
  - { to: x }
  - { deny: 5, ports: [0, 443], when: never }
  - { alow: true }
  - { allow: true, routes: tor }
`
      assert.deepStrictEqual(yield* errors(text, { forms: { rules: Rule.list } }), [
        "f.yaml:3:5: rules[1]: say either allow: true, or deny: true or its reason",
        "f.yaml:4:13: rules[2].deny: 5 is not true or a reason",
        "f.yaml:4:24: rules[2].ports[0]: 0 is not a port such as 443, or a range such as 8000-8999",
        'f.yaml:4:39: rules[2].when: "never" is not days and times such as mon-fri 08:00-18:00, sat,sun or 22:00-06:00',
        "f.yaml:5:7: rules[3].alow is no setting; did you mean allow?",
        "f.yaml:6:20: rules[4].routes is no setting; did you mean route?"
      ])
    })
  )
})
