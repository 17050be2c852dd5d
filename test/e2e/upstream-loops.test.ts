/**
 * Servers in a ring, each of which has the next one for its upstream: how often a session comes round. And chains that are
 * no ring, however much goes through them.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { datagram, greeting, request } from "../support/messages.ts"
import * as Origin from "../support/origin.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import { directory } from "../support/temporary.ts"
import * as Udp from "../support/udp.ts"
import { until } from "../support/until.ts"

const timeout = 3000

/**
 * Servers that have the next one for their upstream, by these schemes; the last one has the first. And the lines of their
 * sessions, when all have ended, which stops the servers.
 */
const ring = Effect.fnUntraced(function* (schemes: ReadonlyArray<string>, patience = `${timeout}ms`) {
  const ports = yield* Effect.all(schemes.map(() => Origin.freePort))
  const servers = yield* Effect.forEach(schemes, (scheme, index) =>
    Program.start([
      ...["--listen", `127.0.0.1:${ports[index]}`, "--bind", "--connect-timeout", patience],
      ...["--upstream", `${scheme}://127.0.0.1:${ports[(index + 1) % ports.length]}`]
    ])
  )
  return { port: servers[0]!.port, servers, sessions: sessionsOf(servers, openOf(servers)) }
})

/** The lines of the sessions of these servers, when all have ended. Stops the servers. */
const sessionsOf = Effect.fnUntraced(function* (
  servers: ReadonlyArray<Program.Program>,
  before: ReadonlyArray<number>
) {
  yield* until(() => servers.every(({ descriptors }, index) => descriptors().length <= before[index]!))
  yield* Effect.forEach(servers, ({ stop }) => stop)
  return servers.map(({ lines }) => lines().filter(({ message }) => message === "session"))
})

const openOf = (servers: ReadonlyArray<Program.Program>) =>
  servers.map(({ descriptors }) => descriptors().length)

/** The most of these sessions that were open at a time. */
const mostAtOnce = (sessions: ReadonlyArray<Program.Line>): number => {
  const changes = sessions.flatMap(({ time, duration }) => {
    const end = Date.parse(String(time))
    return [
      { at: end - Number(duration), by: 1 },
      { at: end, by: -1 }
    ]
  })
  let [open, most] = [0, 0]
  for (const { by } of changes.toSorted((one, other) => one.at - other.at || one.by - other.by)) {
    open += by
    most = Math.max(most, open)
  }
  return most
}

/** What a client is told. */
const ask = (port: number, target: number, command = 1) =>
  Effect.gen(function* () {
    const client = yield* Tcp.connect(port)
    yield* client.send([...greeting(0), ...request("127.0.0.1", target, command)])
    return (yield* client.receive(12))[3]
  }).pipe(Effect.scoped)

/** The status of CONNECT. */
const tunnel = (port: number, target: number, fields = "") =>
  Effect.gen(function* () {
    const client = yield* Tcp.connect(port)
    yield* client.send(`CONNECT 127.0.0.1:${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`)
    return Number(
      Buffer.from(yield* client.receive(12))
        .toString()
        .slice(9)
    )
  }).pipe(Effect.scoped)

describe("servers in a ring", () => {
  for (const schemes of [
    ["socks5", "socks5"],
    ["socks4", "socks4"],
    ["socks5", "socks5", "socks5"],
    ["socks5", "http"],
    ["http", "socks5", "socks5"]
  ]) {
    it.live(`of ${schemes.join(" and ")} pass a session round a few times`, () =>
      Effect.gen(function* () {
        const { port, sessions } = yield* ring(schemes)
        const target = yield* Tcp.target
        const startedAt = performance.now()
        assert.strictEqual(yield* ask(port, target.port), 1)
        assert.isAtLeast(performance.now() - startedAt, timeout / 2)
        for (const lines of yield* sessions) {
          assert.isAtLeast(lines.length, 2)
          // One more waits for its turn.
          assert.isAtMost(mostAtOnce(lines), 17)
          // While they end, a few come round again.
          assert.isAtMost(lines.length, 60)
        }
      })
    )
  }

  for (const schemes of [
    ["http", "http"],
    ["http", "http", "http"]
  ]) {
    it.live(`of ${schemes.join(" and ")} pass a session round once, as they see their own name`, () =>
      Effect.gen(function* () {
        const { port, sessions } = yield* ring(schemes)
        const target = yield* Tcp.target
        const startedAt = performance.now()
        assert.strictEqual(yield* tunnel(port, target.port), 508)
        // And a client of SOCKS, whose request becomes one of HTTP.
        assert.strictEqual(yield* ask(port, target.port), 1)
        assert.isAtMost(performance.now() - startedAt, timeout)
        const [first, ...others] = yield* sessions
        assert.strictEqual(first!.length, 4)
        for (const lines of others) assert.strictEqual(lines.length, 2)
        for (const session of first!) assert.strictEqual(session.outcome, "LoopDetected")
      })
    )
  }

  it.live("pass a session of BIND round a few times", () =>
    Effect.gen(function* () {
      const { port, sessions } = yield* ring(["socks5", "socks5"])
      assert.strictEqual(yield* ask(port, 80, 2), 1)
      for (const lines of yield* sessions) assert.isAtMost(mostAtOnce(lines), 17)
    })
  )
})

describe("datagrams in a ring of servers", () => {
  it.live("make so many associations, and no more", () =>
    Effect.gen(function* () {
      const { port: first, servers, sessions } = yield* ring(["socks5", "socks5"], "1m")
      const sink = yield* Udp.open()
      const client = yield* Udp.open()
      const { control, port } = yield* Udp.associate(first)
      yield* client.send(datagram("127.0.0.1", sink.port, [1]), port)
      // Until no more of them come, for longer than a look-up takes.
      let [count, since] = [0, performance.now()]
      yield* until(() => {
        const open = servers.reduce((sum, { descriptors }) => sum + descriptors().length, 0)
        if (open !== count) [count, since] = [open, performance.now()]
        return performance.now() - since > 1500
      })
      yield* control.reset
      // The last one waits for its turn.
      assert.deepStrictEqual((yield* sessions).map(mostAtOnce), [65, 64])
    })
  )
})

describe("servers in a chain", () => {
  for (const scheme of ["socks5", "socks4", "http"]) {
    it.live(`of ${scheme} refuse none of many sessions of one client to one target`, () =>
      Effect.gen(function* () {
        const last = yield* Program.start(["--connect-timeout", `${timeout}ms`])
        const next = yield* Program.start([
          ...["--upstream", `${scheme}://127.0.0.1:${last.port}`, "--connect-timeout", `${timeout}ms`]
        ])
        const first = yield* Program.start([
          ...["--upstream", `${scheme}://127.0.0.1:${next.port}`, "--connect-timeout", `${timeout}ms`]
        ])
        const target = yield* Tcp.target
        const asking = Array.from({ length: 200 }, () => ask(first.port, target.port))
        const codes = yield* Effect.all(asking, { concurrency: "unbounded" })
        assert.deepStrictEqual(new Set(codes), new Set([0]))
      })
    )
  }

  it.live("may come back to a server that ends it: no rule of its own sends it on", () =>
    Effect.gen(function* () {
      const ports = [yield* Origin.freePort, yield* Origin.freePort] as const
      const config = {
        listen: `127.0.0.1:${ports[0]}`,
        users: ["alice:secret", "bob:secret"],
        upstream: `http://127.0.0.1:${ports[1]}`,
        rules: [{ allow: true, users: ["bob"], route: "direct" }, { allow: true }]
      }
      const file = join(yield* directory, "config.json")
      writeFileSync(file, JSON.stringify(config))
      const first = yield* Program.start(["--config", file])
      yield* Program.start([
        ...["--listen", `127.0.0.1:${ports[1]}`, "--upstream", `http://bob:secret@127.0.0.1:${ports[0]}`]
      ])
      const target = yield* Tcp.target
      const login = `Proxy-Authorization: Basic ${Buffer.from("alice:secret").toString("base64")}\r\n`
      assert.strictEqual(yield* tunnel(first.port, target.port, login), 200)
    })
  )
})
