/**
 * What pages in a browser, strangers on this machine and clients of the proxy try with the admin listener.
 */
import { connect, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Admin from "../support/admin.ts"
import * as Tcp from "../support/tcp.ts"
import { until } from "../support/until.ts"

const admin = Admin.forFile(["--drain-timeout", "100ms", "--user", "<img src=x onerror=alert(1)>:secret"])

/** The first line of the answer to these bytes; undefined if the connection is closed without one. */
const raw = (port: number, bytes: string) =>
  Effect.callback<string | undefined>((resume) => {
    let text = ""
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes, "latin1"))
    const done = () => resume(Effect.succeed(text === "" ? undefined : text.split("\r\n", 1)[0]))
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1")
      if (text.includes("\r\n\r\n")) socket.destroy()
    })
    socket.on("error", () => {}).on("close", done)
    return Effect.sync(() => socket.destroy())
  })

describe("the admin listener", () => {
  it.live("refuses requests of foreign pages", () =>
    Effect.gen(function* () {
      const { at } = yield* admin
      const own = `127.0.0.1:${at.port}`
      for (const [status, headers] of [
        // A name that was rebound to this machine.
        [421, { host: "attacker.example" }],
        [421, { host: `attacker.example:${at.port}` }],
        [421, { host: "localhost.attacker.example" }],
        [421, { host: "127.0.0.1.attacker.example" }],
        [421, { host: "127.0.0.1:80@attacker.example" }],
        [200, { host: "localhost" }],
        [200, { host: "[::1]:9090" }],
        // A page of another site.
        [403, { host: own, origin: "http://attacker.example" }],
        [403, { host: own, origin: "null" }],
        [403, { host: own, origin: `http://127.0.0.1:${at.port + 1}` }],
        [403, { host: own, "sec-fetch-site": "cross-site" }],
        [200, { host: own, origin: `http://${own}` }],
        [200, { host: own, "sec-fetch-site": "same-origin" }]
      ] as const) {
        const answer = yield* Admin.ask(at, "/api/sessions", { headers })
        assert.strictEqual(answer.status, status, JSON.stringify(headers))
        assert.isUndefined(answer.headers["access-control-allow-origin"])
      }
      const preflight = yield* Admin.ask(at, "/api/bans", { method: "OPTIONS" })
      assert.strictEqual(preflight.status, 405)
    })
  )

  it.live("takes its token from one field only, and answers nothing without it", () =>
    Effect.gen(function* () {
      const { at } = yield* admin
      const stranger = { port: at.port }
      for (const path of [
        ...[
          "/api/sessions",
          "/metrics",
          "/api/config",
          "/api/events",
          "/api/nothing",
          "/nothing",
          "/version"
        ],
        ...[
          `/api/sessions?token=${Admin.token}`,
          `/api/sessions?access_token=${Admin.token}`,
          "/ui/../api/sessions"
        ],
        ...["/healthz/../api/sessions", "/healthz%2f..%2fapi%2fsessions", "/api/sessions/", "/API/SESSIONS"],
        ...["/healthz;/api/sessions", "/openapi.json/../api/config", "/ui/%2e%2e/%2e%2e/package.json"]
      ]) {
        const answer = yield* Admin.ask(stranger, path)
        assert.strictEqual(answer.status, 401, path)
        assert.notInclude(answer.text, Admin.token)
      }
      for (const authorization of [
        ...[
          `Basic ${Buffer.from(`:${Admin.token}`).toString("base64")}`,
          `Bearer ${Admin.token}x`,
          "Bearer ",
          Admin.token
        ],
        ...[`Bearer ${Admin.token.slice(0, -1)}`, `Bearer  `, `Bearer ${Admin.token} ${Admin.token}`]
      ]) {
        const answer = yield* Admin.ask(stranger, "/api/sessions", { headers: { authorization } })
        assert.strictEqual(answer.status, 401, authorization)
      }
      assert.strictEqual((yield* Admin.ask(at, "/ui/../api/config")).status, 404)
    })
  )

  it.live("refuses ambiguous requests, and closes on bytes that are no HTTP", () =>
    Effect.gen(function* () {
      const { at } = yield* admin
      const head = (fields: string) =>
        `GET /api/sessions HTTP/1.1\r\n${fields}\r\nAuthorization: Bearer ${Admin.token}\r\n\r\n`
      const bad = /^HTTP\/1\.1 4\d\d /
      for (const bytes of [
        head("Host: localhost\r\nHost: attacker.example"),
        head("X-Other: 1"),
        head("Host: localhost\r\nAuthorization: Bearer other"),
        head("Host: localhost").replace("/api/sessions", "http://attacker.example/api/sessions"),
        head("Host: localhost").replace("/api/sessions", "//attacker.example/api/sessions"),
        head("Host: localhost").replace("/api/sessions", `/${"a".repeat(5000)}`)
      ]) {
        assert.match(String(yield* raw(at.port, bytes)), bad, bytes)
      }
      for (const bytes of [
        head("Host: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"),
        head(`Host: localhost\r\nX-Long: ${"a".repeat(20_000)}`),
        "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\x05\x01\x00",
        "\x16\x03\x01\x02\x00\x01\x00"
      ]) {
        const line = yield* raw(at.port, bytes)
        if (line !== undefined) assert.match(line, bad)
      }
    })
  )

  it.live("bounds the size of requests and of queries", () =>
    Effect.gen(function* () {
      const { at } = yield* admin
      const large = { network: "203.0.113.0/24", reason: "a".repeat(100_000) }
      assert.isAtLeast((yield* Admin.ask(at, "/api/bans", { method: "POST", body: large })).status, 400)
      const long = { network: "203.0.113.0/24", reason: "a".repeat(300) }
      assert.strictEqual((yield* Admin.ask(at, "/api/bans", { method: "POST", body: long })).status, 400)
      for (const query of [
        "limit=1001",
        "limit=-1",
        "offset=-1",
        "offset=1e99",
        "sort=password",
        "limit=ten"
      ]) {
        const { status, json } = yield* Admin.ask(at, `/api/sessions?${query}`)
        assert.deepStrictEqual([status, json.status], [400, 400], query)
      }
      assert.strictEqual((yield* Admin.ask(at, "/api/bans", { method: "POST", body: [1] })).status, 400)
    })
  )

  it.live("survives slow clients, also many", () =>
    Effect.gen(function* () {
      const { at, program } = yield* admin
      const sockets: Array<Socket> = []
      const closed = new Set<Socket>()
      let connected = 0
      for (let i = 0; i < 300; i++) {
        const socket = connect(at.port, "127.0.0.1", () => {
          connected++
          socket.write("GET / HTTP/1.1\r\nHost: local")
        })
        socket.on("error", () => {}).on("close", () => closed.add(socket))
        sockets.push(socket)
      }
      yield* until(() => connected === 300)
      assert.strictEqual((yield* Admin.ask(at, "/api/status")).status, 200)
      // The oldest are closed for those beyond the most, and the others when they have had their time.
      yield* until(() => closed.size >= 44)
      yield* until(() => closed.size === 300)
      assert.strictEqual((yield* Admin.ask(at, "/healthz")).status, 200)
      assert.isBelow(program.descriptors().length, 100)
      for (const socket of sockets) socket.destroy()
    })
  )

  it.live("returns bytes of the proxy's clients only as data", () =>
    Effect.gen(function* () {
      const { at, program } = yield* admin
      const target = yield* Tcp.target
      yield* Tcp.sessionOf("<img src=x onerror=alert(1)>", program.port, target)
      const { json, headers } = yield* Admin.ask(at, "/api/sessions")
      assert.strictEqual(json[0].user, "<img src=x onerror=alert(1)>")
      assert.strictEqual(headers["content-type"], "application/json")
      assert.strictEqual(headers["x-content-type-options"], "nosniff")
      assert.strictEqual(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'")
      // Nothing of a request gets into a head or a line of the log as it was.
      const { text } = yield* Admin.ask(at, "/api/bans/%0d%0aset-cookie:%20a=b%1b[31m", { method: "DELETE" })
      assert.notMatch(text, /\p{Cc}/u)
      const line = yield* program.logged({ action: "lift ban" })
      assert.strictEqual(line.network, "\\u{d}\\u{a}set-cookie: a=b\\u{1b}[31m")
    })
  )
})
