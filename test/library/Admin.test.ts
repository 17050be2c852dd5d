/**
 * The admin listener in an app.
 */
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Accounts, Admin, Server } from "../../src/index.ts"
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
