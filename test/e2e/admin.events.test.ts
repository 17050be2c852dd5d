/**
 * The stream of events, with many readers and with readers that do not read.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mostStreams } from "../../src/admin/EventHub.ts"
import type { Event } from "../../src/session/Event.ts"
import * as Admin from "../support/admin.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import { until } from "../support/until.ts"

const token = "0123456789-abcdefghij"

const start = Effect.gen(function* () {
  const program = yield* Program.start([
    ...["--admin", "127.0.0.1:0", "--admin-token", token, "--deny-target", "*:25"],
    ...["--user", "alice:secret"]
  ])
  const { address } = yield* program.logged({ message: "admin listens" })
  return { program, at: { port: Program.portOf(String(address)), token } }
})

const eventsIn = (text: string): ReadonlyArray<Event> =>
  text
    .split("\n\n")
    .slice(0, -1)
    .map((frame) => JSON.parse(frame.replace(/^data: /, "")))

describe("the endpoints of Clash", () => {
  it.live("have the sessions as connections, and end them", () =>
    Effect.gen(function* () {
      const { program, at } = yield* start
      const traffic = yield* Admin.follow(at, "/traffic")
      const logs = yield* Admin.follow(at, "/logs")
      const target = yield* Tcp.target
      yield* Tcp.sessionOf("alice", program.port, target)
      const { json } = yield* Admin.ask(at, "/connections")
      const [{ id, metadata }] = json.connections
      assert.deepInclude(metadata, {
        ...{ network: "tcp", type: "SOCKS5", host: "127.0.0.1", destinationPort: String(target.port) },
        ...{ inboundUser: "alice", sourceIP: "127.0.0.1" }
      })
      assert.strictEqual((yield* Admin.ask(at, `/connections/${id}`, { method: "DELETE" })).status, 204)
      assert.strictEqual((yield* Admin.ask(at, `/connections/${id}`, { method: "DELETE" })).status, 404)
      yield* program.logged({ message: "session", outcome: "ended by operator" })
      yield* until(() => /^\{"up":\d+,"down":\d+\}\n/.test(traffic.text()))
      yield* until(() => logs.text().includes("ended by operator"))
      assert.include((yield* Admin.ask(at, "/version")).text, '"version"')
    })
  )
})

describe("the events", () => {
  it.live("come as they happen, filtered, to a bounded number of readers", () =>
    Effect.gen(function* () {
      const { program, at } = yield* start
      const all = yield* Admin.follow(at, "/api/events")
      const denials = yield* Admin.follow(at, "/api/events?tags=SessionDecided,NetworkBanned&verdict=deny")
      assert.strictEqual((yield* Admin.ask(at, "/api/events?tags=Nothing")).status, 422)

      const target = yield* Tcp.target
      yield* Tcp.sessionOf("alice", program.port, target)
      const other = yield* Tcp.connect(program.port)
      yield* Tcp.authenticate(other, "alice", "secret")
      yield* other.send([5, 1, 0, 1, 127, 0, 0, 1, 0, 25])
      yield* other.rest
      yield* other.reset
      const { json: sessions } = yield* Admin.ask(at, "/api/sessions?command=connect&target=127.0.0.1")
      for (const { id } of sessions) yield* Admin.ask(at, `/api/sessions/${id}`, { method: "DELETE" })
      yield* Admin.ask(at, "/api/bans", { method: "POST", body: { network: "203.0.113.7" } })

      yield* until(() => eventsIn(denials.text()).some(({ _tag }) => _tag === "NetworkBanned"))
      const denied = eventsIn(denials.text())
      assert.deepStrictEqual(
        denied.map(({ _tag }) => _tag),
        ["Alive", "SessionDecided", "NetworkBanned"] as ReadonlyArray<string>
      )
      assert.deepInclude(denied[1], { verdict: "deny", user: "alice", target: "127.0.0.1:25" })
      yield* until(() => eventsIn(all.text()).filter(({ _tag }) => _tag === "SessionEnded").length === 2)
      const tags = new Set<string>(eventsIn(all.text()).map(({ _tag }) => _tag))
      for (const tag of ["LoginSucceeded", "SessionBegun", "SessionConnected", "SessionDecided"]) {
        assert.isTrue(tags.has(tag), tag)
      }

      const others = yield* Effect.forEach(
        Array.from({ length: mostStreams - 2 }),
        () => Admin.follow(at, "/api/events"),
        { concurrency: 10 }
      )
      assert.isTrue(others.every(({ status }) => status === 200))
      assert.strictEqual((yield* Admin.ask(at, "/api/events")).status, 503)
      // No stream holds the stop.
      const before = performance.now()
      assert.strictEqual((yield* program.stop).code, 0)
      assert.isBelow(performance.now() - before, 3000)
      yield* until(() => others.every(({ isEnded }) => isEnded()))
    })
  )
})
