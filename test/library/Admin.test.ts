/**
 * The admin listener in an app.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Accounts, Admin, Policy, Server, Users } from "../../src/index.ts"
import * as Support from "../support/admin.ts"
import { directory } from "../support/temporary.ts"

const token = "0123456789-abcdefghij"

it.live("an app has the API of its server, and changes its accounts there", () =>
  Effect.gen(function* () {
    const socketPath = join(yield* directory, "admin.sock")
    const live = Admin.layer({ listen: `unix:${socketPath}`, token: Redacted.make(token) }).pipe(
      Layer.provideMerge(Server.layer({ listen: "127.0.0.1:0", drainTimeout: "10 millis" })),
      Layer.provideMerge(Accounts.layer())
    )
    yield* Effect.gen(function* () {
      assert.strictEqual((yield* Admin).address, `unix:${socketPath}`)
      const ask = (path: string, options?: Support.Options) =>
        Support.ask({ socketPath, token }, path, options)
      assert.deepInclude((yield* ask("/api/status")).json, { ready: true, changesUsers: true, sessions: 0 })
      const add = { method: "POST", body: { name: "alice", password: "secret", groups: ["staff"] } }
      assert.strictEqual((yield* ask("/api/users", add)).status, 201)
      const unfit = { method: "POST", body: { name: "a:b", password: "secret" } }
      assert.strictEqual((yield* ask("/api/users", unfit)).status, 422)
      const disable = { method: "PATCH", body: { enabled: false } }
      assert.strictEqual((yield* ask("/api/users/alice", disable)).status, 204)
      assert.deepInclude((yield* ask("/api/users")).json[0], {
        name: "alice",
        enabled: false,
        groups: ["staff"]
      })
      assert.strictEqual((yield* ask("/api/users/alice", { method: "DELETE" })).status, 204)
      assert.strictEqual((yield* ask("/api/users/alice", { method: "DELETE" })).status, 404)
      // What only the program does.
      assert.strictEqual((yield* ask("/api/stop", { method: "POST" })).status, 409)
    }).pipe(Effect.provide(live))
  })
)

it.live("an app shows the options of its server, explains its rules, and reloads as it likes", () =>
  Effect.gen(function* () {
    const path = yield* directory
    const [socketPath, usersFile] = [join(path, "admin.sock"), join(path, "users.yaml")]
    writeFileSync(usersFile, "- { name: bob, password: secret, groups: [staff] }\n")
    let reloads = 0
    const reload = Effect.suspend(() =>
      reloads++ === 0 ? Effect.void : Effect.fail({ message: "the options are no better" })
    )
    const live = Admin.layer({ listen: `unix:${socketPath}`, token: Redacted.make(token), reload }).pipe(
      Layer.provideMerge(
        Server.layer({
          listen: "127.0.0.1:0",
          drainTimeout: "10 millis",
          maxSessions: 7,
          usersFile,
          users: Redacted.make("alice:hunter2"),
          authToken: Redacted.make("hunter2"),
          upstream: "socks5://user:hunter2@127.0.0.1:1",
          rules: [{ name: "staff only", allow: true, groups: "staff" }]
        })
      )
    )
    yield* Effect.gen(function* () {
      yield* Admin
      const ask = (path: string, options?: Support.Options) =>
        Support.ask({ socketPath, token }, path, options)
      const config = yield* ask("/api/config")
      assert.notInclude(config.text, "hunter2")
      const valueOf = (name: string) =>
        config.json.find((row: { readonly name: string }) => row.name === name).value
      assert.deepStrictEqual([valueOf("max-sessions"), valueOf("drain-timeout")], ["7", "10ms"])
      assert.deepInclude(
        (yield* ask("/api/limits")).json.find(
          ({ name }: { readonly name: string }) => name === "max-sessions"
        ),
        { value: "7", used: 0 }
      )
      const explain = (user: string) =>
        ask("/api/explain", { method: "POST", body: { to: "192.0.2.1:443", user } })
      assert.deepInclude((yield* explain("bob")).json, { verdict: "allowed" })
      assert.deepInclude((yield* explain("alice")).json, { verdict: "denied" })
      assert.deepStrictEqual(
        (yield* ask("/api/users")).json.map(({ name, stored }: { name: string; stored: boolean }) => [
          name,
          stored
        ]),
        [
          ["alice", false],
          ["bob", true]
        ]
      )
      const add = { method: "POST", body: { name: "carol", password: "secret" } }
      assert.strictEqual((yield* ask("/api/users", add)).status, 201)
      assert.include(readFileSync(usersFile, "utf8"), "carol")
      assert.strictEqual((yield* ask("/api/reload", { method: "POST" })).status, 204)
      const refused = yield* ask("/api/reload", { method: "POST" })
      assert.deepStrictEqual([refused.status, refused.json.message], [422, "the options are no better"])
    }).pipe(Effect.provide(live))
  })
)

it.live("an app with services of its own says what its API does not know of them", () =>
  Effect.gen(function* () {
    const socketPath = join(yield* directory, "admin.sock")
    const live = Admin.layer({ listen: `unix:${socketPath}`, token: Redacted.make(token) }).pipe(
      Layer.provideMerge(Server.layer({ listen: "127.0.0.1:0", drainTimeout: "10 millis" })),
      Layer.provide([
        Users.layerFixed([{ name: "alice", password: Redacted.make("secret") }]),
        Layer.succeed(Policy, { judge: () => Effect.succeed({ verdict: "allow", rule: "mine" }) })
      ])
    )
    yield* Effect.gen(function* () {
      yield* Admin
      const ask = (path: string, options?: Support.Options) =>
        Support.ask({ socketPath, token }, path, options)
      assert.deepInclude((yield* ask("/api/users")).json[0], { name: "alice", stored: false })
      const remove = yield* ask("/api/users/alice", { method: "DELETE" })
      assert.strictEqual(remove.status, 409)
      assert.include(remove.json.message, "UserStore")
      const explain = yield* ask("/api/explain", { method: "POST", body: { to: "192.0.2.1:443" } })
      assert.strictEqual(explain.status, 409)
      assert.strictEqual((yield* ask("/api/reload", { method: "POST" })).status, 409)
    }).pipe(Effect.provide(live))
  })
)

it.live("an app is told what is wrong with its admin listener", () =>
  Effect.gen(function* () {
    const server = Server.layer({ listen: "127.0.0.1:0" })
    for (const [listen, complaint] of [
      ["0.0.0.0:0", "beyond loopback without TLS"],
      ["systemd", "HOST:PORT or unix:/PATH"]
    ] as const) {
      const live = Layer.provide(Admin.layer({ listen, token: Redacted.make(token) }), server)
      const error = yield* Effect.flip(Effect.scoped(Layer.build(live)))
      assert.include(error.message, complaint)
    }
  })
)
