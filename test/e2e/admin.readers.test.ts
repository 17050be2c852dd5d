/**
 * Many who read from the admin listener, and many requests at once.
 */
import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Admin from "../support/admin.ts"
import * as Tcp from "../support/tcp.ts"
import { until } from "../support/until.ts"

const admin = Admin.forFile(["--user", "alice:secret", "--deny-target", "*:25", "--drain-timeout", "100ms"])

const answers = (count: number, ask: Effect.Effect<Admin.Answer>) =>
  Effect.forEach(Array.from({ length: count }), () => ask, { concurrency: "unbounded" })

describe("the admin listener", () => {
  it.live("gives many readers what holds now, also after a change that came between", () =>
    Effect.gen(function* () {
      const { program, at } = yield* admin
      const target = yield* Tcp.target
      yield* Tcp.sessionOf("alice", program.port, target)
      const list = Admin.ask(at, `/api/sessions?search=${target.port}`)
      for (const { status, json } of yield* answers(100, list)) {
        assert.strictEqual(status, 200)
        assert.lengthOf(json, 1)
      }
      const [{ id }] = (yield* list).json
      assert.strictEqual((yield* Admin.ask(at, `/api/sessions/${id}`, { method: "DELETE" })).status, 204)
      yield* program.logged({ id, message: "session" })
      for (const { json } of yield* answers(100, list)) assert.deepStrictEqual(json, [])
    })
  )

  it.live("has the overview in one answer", () =>
    Effect.gen(function* () {
      const { program, at } = yield* admin
      const target = yield* Tcp.target
      yield* Tcp.sessionOf("alice", program.port, target)
      const { json } = yield* Admin.ask(at, "/api/overview")
      assert.deepInclude(json.status, { ready: true, asksPassword: true })
      assert.deepInclude(json.users, { key: "alice", sessions: 1, sent: 0, received: 0 })
      assert.deepStrictEqual(
        json.targets.map(({ key }: { key: string }) => key),
        [`127.0.0.1:${target.port}`]
      )
      assert.deepStrictEqual(json.upstreams, [])
      const { headers, text } = yield* Admin.ask(at, "/api/overview", { method: "HEAD" })
      assert.strictEqual(text, "")
      assert.isAbove(Number(headers["content-length"]), 100)
    })
  )

  it.live("takes changes in JSON only, from many at once", () =>
    Effect.gen(function* () {
      const { at, program } = yield* admin
      // What a form of a page could send without being asked first.
      for (const type of [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x"
      ]) {
        const { status } = yield* Admin.ask(at, "/api/bans", {
          method: "POST",
          headers: { "content-type": type },
          body: { network: "203.0.113.0/24" }
        })
        assert.isAtLeast(status, 400, type)
      }
      assert.deepStrictEqual((yield* Admin.ask(at, "/api/bans")).json, [])

      // One connection with very many changes, of which none waits for the answer of another.
      const request = `DELETE /api/sessions/999999 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${Admin.token}\r\n\r\n`
      let text = ""
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const socket = connect(at.port, "127.0.0.1", () => socket.write(request.repeat(2000)))
          return socket.setEncoding("latin1").on("data", (more: string) => {
            text += more
          })
        }),
        (socket) => Effect.sync(() => socket.destroy())
      )
      yield* until(() => (text.match(/HTTP\/1\.1 (404|503) /g) ?? []).length === 2000)
      assert.strictEqual((yield* Admin.ask(at, "/healthz")).status, 200)
      assert.isBelow(program.memory(), 400e6)
    }).pipe(Effect.scoped)
  )

  it.live("is healthy while changes take their time", () =>
    Effect.gen(function* () {
      const { at } = yield* admin
      const head = `POST /api/bans HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${Admin.token}\r\n`
      // Bodies that do not come.
      for (let i = 0; i < 20; i++) {
        yield* Effect.acquireRelease(
          Effect.sync(() => connect(at.port, "127.0.0.1").on("error", () => {})),
          (socket) => Effect.sync(() => socket.destroy())
        ).pipe(
          Effect.map((socket) =>
            socket.write(`${head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n`)
          )
        )
      }
      yield* Effect.sleep(300)
      const before = performance.now()
      for (const path of ["/healthz", "/readyz"]) assert.strictEqual((yield* Admin.ask(at, path)).status, 200)
      assert.isBelow(performance.now() - before, 5000)
    }).pipe(Effect.scoped)
  )

  it.live("writes a burst of events to a stream, and counts those that are too many", () =>
    Effect.gen(function* () {
      const { at, program } = yield* admin
      let text = ""
      const socket = yield* Effect.acquireRelease(
        Effect.sync(() => {
          const socket = connect(at.port, "127.0.0.1", () => {
            socket.write(
              `GET /api/events?tags=TargetDenied HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${Admin.token}\r\n\r\n`
            )
          })
          return socket.setEncoding("latin1").on("data", (more: string) => {
            text += more
          })
        }),
        (socket) => Effect.sync(() => socket.destroy())
      )
      yield* until(() => text.includes("Alive"))
      const deny = Effect.scoped(
        Effect.gen(function* () {
          const client = yield* Tcp.connect(program.port)
          yield* Tcp.authenticate(client, "alice", "secret")
          yield* client.send([5, 1, 0, 1, 127, 0, 0, 1, 0, 25])
          yield* client.rest
        })
      )
      yield* Effect.replicateEffect(deny, 400, { concurrency: 40 })
      yield* until(() => text.includes("EventsMissed") || (text.match(/"verdict"/g) ?? []).length >= 400)
      assert.isFalse(socket.destroyed)
    }).pipe(Effect.scoped)
  )
})
