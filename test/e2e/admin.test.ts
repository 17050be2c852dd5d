/**
 * The admin API of the program, over a socket in the file system, with the sessions of two workers.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Admin from "../support/admin.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import { directory } from "../support/temporary.ts"
import { until } from "../support/until.ts"
import * as Workers from "../support/workers.ts"

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)

describe("the admin API", () => {
  it.live("lists and ends the sessions of all workers, and serves each documented path", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const socketPath = join(path, "admin.sock")
      const config = join(path, "config.yaml")
      const written = (more: string) =>
        `users: [{ name: alice, password: secret, groups: [staff] }]\nmax-sessions-per-user: 50\n${more}`
      writeFileSync(config, written(""))
      const port = yield* Workers.freePort
      const program = yield* Workers.start([
        ...["--listen", `127.0.0.1:${port}`, "--config", config, "--workers", "2"],
        ...["--admin", `unix:${socketPath}`, "--state-dir", path]
      ])
      const listening = yield* program.logged({ message: "admin listens" })
      assert.strictEqual(listening.address, `unix:${socketPath}`)
      assert.deepStrictEqual([mode(socketPath), mode(join(path, "admin-token"))], ["600", "600"])
      const token = readFileSync(join(path, "admin-token"), "utf8").trim()
      const at = { socketPath, token }
      const ask = (path: string, options?: Admin.Options) => Admin.ask(at, path, options)

      // Health is for everyone, and the rest for those with the token.
      assert.strictEqual((yield* Admin.ask({ socketPath }, "/healthz")).status, 200)
      assert.strictEqual((yield* Admin.ask({ socketPath }, "/readyz")).status, 200)
      assert.strictEqual((yield* Admin.ask({ socketPath }, "/api/sessions")).status, 401)
      const { json: openapi } = yield* Admin.ask({ socketPath }, "/openapi.json")
      assert.include(Object.keys(openapi.paths), "/api/sessions/{id}")

      // Sessions: list, filter, page, get.
      const pids = yield* program.pids
      const target = yield* Tcp.target
      const begun = yield* Workers.spread(pids, Tcp.sessionOf("alice", port, target))
      const { json: all, headers } = yield* ask("/api/sessions?sort=id&order=desc&limit=1000")
      assert.strictEqual(headers["x-total-count"], String(begun.length))
      assert.lengthOf(all, begun.length)
      assert.deepInclude(all[0], {
        ...{ user: "alice", listener: `127.0.0.1:${port}`, protocol: "SOCKS5", command: "CONNECT" },
        ...{ target: `127.0.0.1:${target.port}`, address: `127.0.0.1:${target.port}`, route: null }
      })
      assert.isAbove(all[0].startedAt, Date.now() - 60_000)
      assert.isAbove(all[0].id, all[1].id)
      const { json: found } = yield* ask(`/api/sessions?client=${encodeURIComponent(all[1].client)}`)
      assert.deepStrictEqual(found, [all[1]])
      assert.deepStrictEqual((yield* ask("/api/sessions?user=bob")).json, [])
      assert.lengthOf((yield* ask("/api/sessions?search=ALICE&offset=1&limit=1")).json, 1)
      assert.strictEqual((yield* ask(`/api/sessions/${all[0].id}`)).json.id, all[0].id)
      assert.strictEqual((yield* ask("/api/sessions/999999999")).status, 404)

      // An end, of a session of each worker.
      for (const pid of pids) {
        const { client } = begun.find((one) => one.pid === pid)!
        const { localPort } = client.duplex as unknown as { readonly localPort: number }
        const { json } = yield* ask(`/api/sessions?client=127.0.0.1:${localPort}`)
        assert.strictEqual((yield* ask(`/api/sessions/${json[0].id}`, { method: "DELETE" })).status, 204)
        const ended = yield* program.session(localPort)
        assert.strictEqual(ended.outcome, "ended by operator")
        assert.strictEqual((yield* ask(`/api/sessions/${json[0].id}`, { method: "DELETE" })).status, 404)
        yield* program.logged({
          message: "admin",
          action: "end session",
          session: json[0].id,
          outcome: "done"
        })
      }

      // The numbers.
      const { json: status } = yield* ask("/api/status")
      assert.deepInclude(status, {
        ready: true,
        draining: false,
        sessions: begun.length - 2,
        asksPassword: true
      })
      assert.sameMembers(
        status.workers.map(({ pid }: { readonly pid: number }) => pid),
        [...pids]
      )
      const { json: users } = yield* ask("/api/users")
      assert.deepInclude(users[0], {
        name: "alice",
        enabled: true,
        groups: ["staff"],
        sessions: begun.length - 2
      })
      const { json: usage } = yield* Effect.repeat(ask("/api/usage?user=alice"), {
        until: ({ json }) => json[0]?.sessions === begun.length
      })
      assert.deepInclude(usage[0], { user: "alice", day: new Date().toISOString().slice(0, 10) })
      assert.deepStrictEqual((yield* ask("/api/usage?from=2020-01-01&to=2020-01-02")).json, [])
      assert.strictEqual((yield* ask("/api/usage?from=yesterday")).status, 422)
      const { json: traffic } = yield* ask("/api/traffic?by=target")
      assert.deepInclude(traffic[0], { key: `127.0.0.1:${target.port}`, sessions: begun.length - 2 })
      const { json: limits } = yield* ask("/api/limits")
      assert.deepInclude(limits, { name: "max-sessions-per-user", value: "50", used: null })
      yield* Effect.repeat(ask("/api/history"), { until: ({ json }) => json.length > 0 })
      assert.include((yield* ask("/metrics")).text, "# TYPE ")

      // Secrets are not shown.
      const rows: ReadonlyArray<{ readonly value: string }> = JSON.parse((yield* ask("/api/config")).text)
      const shown = rows.map(({ value }) => value).join()
      assert.include(shown, `127.0.0.1:${port}`)
      assert.notInclude(shown, "secret")
      assert.notInclude(shown, token)

      // Bans.
      const add = (body: object) => ask("/api/bans", { method: "POST", body })
      assert.strictEqual(
        (yield* add({ network: "203.0.113.0/24", duration: "2h", reason: "abuse" })).status,
        201
      )
      for (const [query, count] of [
        ["?limit=0", 0],
        ["?search=203.0", 1],
        ["?search=nothing", 0]
      ] as const) {
        assert.lengthOf((yield* ask(`/api/bans${query}`)).json, count, query)
      }
      const { json: bans } = yield* ask("/api/bans")
      assert.deepInclude(bans[0], { network: "203.0.113.0/24", reason: "abuse", failures: 0 })
      for (const network of ["127.0.0.1", "::1", "203.0.113.1/24", "nonsense"]) {
        assert.strictEqual((yield* add({ network })).status, 422)
      }
      assert.strictEqual((yield* add({ network: "203.0.113.9", duration: "soon" })).status, 422)
      const lift = ask(`/api/bans/${encodeURIComponent("203.0.113.0/24")}`, { method: "DELETE" })
      assert.deepStrictEqual([(yield* lift).status, (yield* lift).status], [200, 404])

      // Users of the settings cannot be changed here.
      const bob = { name: "bob", password: "hunter2" }
      assert.strictEqual((yield* ask("/api/users", { method: "POST", body: bob })).status, 409)
      assert.strictEqual((yield* ask("/api/users/alice", { method: "DELETE" })).status, 409)

      // Explain, by the settings in force.
      const question = { to: "10.0.0.1:80", user: "alice" }
      const explain = ask("/api/explain", { method: "POST", body: question })
      assert.strictEqual((yield* explain).json.verdict, "allowed")
      writeFileSync(config, written("rules: [{ name: none, deny: true }]\n"))
      assert.strictEqual((yield* ask("/api/reload", { method: "POST" })).status, 204)
      const { json: denied } = yield* explain
      assert.deepStrictEqual(denied, { verdict: "denied", lines: ["  none: matches", "Denied by: none"] })
      const unclear = yield* ask("/api/explain", { method: "POST", body: { to: "nowhere" } })
      assert.strictEqual(unclear.status, 422)
      writeFileSync(config, written("max-sessions: nonsense\n"))
      const refused = yield* ask("/api/reload", { method: "POST" })
      assert.strictEqual(refused.status, 422)
      assert.include(refused.json.message, "max-sessions")
      writeFileSync(config, written(""))

      // The log level, in the workers too.
      assert.strictEqual((yield* ask("/api/log-level")).json.level, "debug")
      const level = { method: "PUT", body: { level: "warn" } }
      assert.strictEqual((yield* ask("/api/log-level", level)).status, 204)
      assert.strictEqual((yield* ask("/api/log-level")).json.level, "warn")
      const quiet = yield* Tcp.sessionOf("alice", port, target)
      yield* ask("/api/log-level", { method: "PUT", body: { level: "info" } })
      yield* quiet.client.end
      const { localPort } = quiet.client.duplex as unknown as { readonly localPort: number }

      // Not ready, and ready again.
      const ready = Effect.map(Admin.ask({ socketPath }, "/readyz"), ({ status }) => status)
      assert.strictEqual((yield* ask("/api/drain", { method: "POST" })).status, 204)
      assert.strictEqual(yield* ready, 503)
      assert.strictEqual((yield* ask("/api/drain", { method: "DELETE" })).status, 204)
      assert.strictEqual(yield* ready, 200)

      // It answers until the last session has ended, and no stream holds it.
      const stream = yield* Admin.follow(at, "/api/events")
      assert.strictEqual((yield* ask("/api/stop", { method: "POST" })).status, 202)
      yield* Effect.repeat(ready, { until: (status) => status === 503 })
      const { json: left } = yield* ask("/api/sessions?user=alice")
      assert.lengthOf(left, begun.length - 1)
      for (const { id } of left) yield* ask(`/api/sessions/${id}`, { method: "DELETE" })
      assert.strictEqual((yield* program.within("5 seconds")).code, 0)
      yield* until(stream.isEnded)
      assert.isUndefined(program.lines().find(({ client }) => client === `127.0.0.1:${localPort}`))
    })
  )

  it.live("keeps its token, and refuses unsafe settings", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const admin = ["--admin", `unix:${join(path, "a")}`]
      const token = Effect.gen(function* () {
        yield* (yield* Program.start(admin)).logged({ message: "admin listens" })
        return readFileSync(join(path, "a.token"), "utf8")
      })
      assert.strictEqual(yield* Effect.scoped(token), yield* Effect.scoped(token))
      for (const [flags, complaint] of [
        [["--admin", "0.0.0.0:0"], /--admin: "0.0.0.0:0" is not possible beyond loopback without TLS/],
        [["--admin-tls-cert", "/nowhere"], /--admin is not set/]
      ] as const) {
        const { code, stderr } = yield* Program.run(["--listen", "127.0.0.1:0", ...flags])
        assert.strictEqual(code, 2)
        assert.match(stderr, complaint)
      }
    })
  )
})
