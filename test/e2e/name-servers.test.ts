/**
 * Name servers of the settings: over UDP, TCP and TLS, one after the other, and what happens to questions while a
 * server is gone, silent or wrong.
 */
import { createSocket } from "node:dgram"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as NameServer from "../../src/config/NameServer.ts"
import * as NameServers from "../../src/network/NameServers.ts"
import { certificate } from "../support/certificates.ts"
import * as Names from "../support/names.ts"
import * as Program from "../support/program.ts"
import { ask, listen } from "../support/sockets.ts"
import { directory } from "../support/temporary.ts"
import { until } from "../support/until.ts"

const answers: Names.Answers = (name, family) => {
  if (name === "web.example")
    return family === 4
      ? [
          [192, 0, 2, 1],
          [192, 0, 2, 2]
        ]
      : []
  if (name === "both.example") return family === 4 ? [[127, 0, 0, 1]] : [[...Array(15).fill(0), 1]]
  if (name === "broken.example") return "failure"
  if (name.endsWith("silent.example")) return "silence"
  return "no such name"
}

const asking = (...servers: ReadonlyArray<string>) =>
  NameServers.make(servers.map((text) => Option.getOrThrow(NameServer.fromString(text))))

const ttl = { ttl: true } as const

/** The addresses, or the code of the error. */
const asked = (queries: ReturnType<typeof asking>, name: string, version: 4 | 6 = 4) =>
  Effect.promise(() =>
    (version === 4 ? queries.resolve4(name, ttl) : queries.resolve6(name, ttl)).then(
      (found) => found.map(({ address }) => address),
      ({ code }: NodeJS.ErrnoException) => code
    )
  )

/** A port on loopback where nobody listens. */
const closed = Effect.map(Effect.scoped(Names.serveStream(answers)), ({ port }) => port)

describe("a name server over TCP", () => {
  it.live("answers many questions on one connection, also in pieces of a byte", () =>
    Effect.gen(function* () {
      const server = yield* Names.serveStream(answers, { cut: 1 })
      const queries = asking(`tcp://127.0.0.1:${server.port}`)
      const names = ["web.example", "none.example", "broken.example", "web.example"]
      assert.deepStrictEqual(
        yield* Effect.forEach(names, (name) => asked(queries, name), { concurrency: 4 }),
        [["192.0.2.1", "192.0.2.2"], "ENOTFOUND", "ESERVFAIL", ["192.0.2.1", "192.0.2.2"]]
      )
      assert.strictEqual(yield* asked(queries, "web.example", 6), "ENODATA")
      assert.deepStrictEqual(yield* asked(queries, "both.example", 6), ["::1"])
      assert.strictEqual(server.sockets.size, 1)
    })
  )

  it.live("gets the next query on a new connection if it has closed an idle one", () =>
    Effect.gen(function* () {
      const server = yield* Names.serveStream(answers)
      const queries = asking(`tcp://127.0.0.1:${server.port}`)
      yield* asked(queries, "web.example")
      for (const socket of server.sockets) socket.resetAndDestroy()
      assert.deepStrictEqual(yield* asked(queries, "web.example"), ["192.0.2.1", "192.0.2.2"])
    })
  )

  it.live("has two seconds to answer, and then loses its connection", () =>
    Effect.gen(function* () {
      const server = yield* Names.serveStream(answers)
      const queries = asking(`tcp://127.0.0.1:${server.port}`)
      const started = performance.now()
      assert.strictEqual(yield* asked(queries, "silent.example"), "ETIMEOUT")
      assert.closeTo(performance.now() - started, 2000, 500)
      yield* until(() => server.sockets.size === 0)
    })
  )

  it.live("is not believed if it answers another question", () =>
    Effect.gen(function* () {
      const server = yield* Names.serveStream(answers, { renamed: "bew" })
      assert.strictEqual(yield* asked(asking(`tcp://127.0.0.1:${server.port}`), "web.example"), "ETIMEOUT")
    })
  )
})

describe("several name servers", () => {
  it.live("are asked in order of their kinds until one answers; a missing name is an answer", () =>
    Effect.gen(function* () {
      const server = yield* Names.serveStream(answers)
      const other = yield* Names.serveStream(() => [[192, 0, 2, 9]])
      const servers = [yield* closed, server.port, other.port].map((port) => `tcp://127.0.0.1:${port}`)
      const queries = asking(...servers)
      assert.deepStrictEqual(yield* asked(queries, "web.example"), ["192.0.2.1", "192.0.2.2"])
      assert.strictEqual(yield* asked(queries, "none.example"), "ENOTFOUND")
      assert.deepStrictEqual(other.asked, [])
      assert.deepStrictEqual(yield* asked(queries, "broken.example"), ["192.0.2.9"])
      assert.strictEqual(yield* asked(asking(servers[0]!), "web.example"), "ECONNREFUSED")
    })
  )

  it.live("over UDP come first if they are named first, with a random port and id for each question", () =>
    Effect.gen(function* () {
      const ids = new Set<number>()
      const udp = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createSocket>>((resume) => {
          const socket = createSocket("udp4", (query, { port }) => {
            ids.add(query.readUInt16BE(0))
            // Truncated: the question goes to TCP, where nobody listens, and so to the next kind.
            socket.send(
              Buffer.concat([query.subarray(0, 2), Buffer.from([0x83, 0x80]), query.subarray(4)]),
              port
            )
          })
          socket.bind(0, "127.0.0.1", () => resume(Effect.succeed(socket)))
        }),
        (socket) => Effect.sync(() => socket.close())
      )
      const server = yield* Names.serveStream(answers)
      const queries = asking(`127.0.0.1:${udp.address().port}`, `tcp://127.0.0.1:${server.port}`)
      for (let i = 0; i < 8; i++) {
        assert.deepStrictEqual(yield* asked(queries, "web.example"), ["192.0.2.1", "192.0.2.2"])
      }
      const sorted = [...ids].sort((one, other) => one - other)
      assert.isAbove(sorted.length, 4)
      assert.isTrue(
        sorted.some((id, index) => index > 0 && id - sorted[index - 1]! > 16),
        sorted.join()
      )
    })
  )
})

/** Name servers of two routes. Only the one inside knows the names below `corp.example`; a target is at 127.0.0.1 only. */
const splitNames =
  (inside: boolean): Names.Answers =>
  (name, family) => {
    if (family === 6) return []
    if (name === "elsewhere.example") return [[127, 0, 0, 3]]
    return name.endsWith("corp.example") && !inside ? "no such name" : [[127, 0, 0, inside ? 1 : 2]]
  }

describe("name servers of routes", () => {
  it.live("find the addresses of names that their rules take, and of no others", () =>
    Effect.gen(function* () {
      const inside = yield* Names.serveStream(splitNames(true))
      const usual = yield* Names.serveStream(splitNames(false))
      const path = join(yield* directory, "config.yaml")
      writeFileSync(
        path,
        [
          "listen: 127.0.0.1:0",
          "private-targets: allow",
          `dns: tcp://127.0.0.1:${usual.port}`,
          `routes: [{ name: inside, dns: "tcp://127.0.0.1:${inside.port}", prefer: ipv4 }]`,
          "rules:",
          "  - { allow: true, to: '*.corp.example', route: inside }",
          "  - { allow: true, to: 127.0.0.3, route: inside }",
          "  - { allow: true }"
        ].join("\n")
      )
      const { port, logged } = yield* Program.start(["--config", path])
      const target = yield* listen()
      const { client, code } = yield* ask(port, "web.corp.example", target.port)
      assert.strictEqual(code, 0x00)
      yield* client.end
      assert.strictEqual((yield* ask(port, "web.example", target.port)).code, 0x05)
      assert.strictEqual((yield* ask(port, "elsewhere.example", target.port)).code, 0x02)
      yield* logged({ outcome: "NotAllowed", target: `elsewhere.example:${target.port}` })
      assert.deepStrictEqual([...new Set(inside.asked)], ["web.corp.example"])
      assert.sameMembers([...new Set(usual.asked)], ["web.example", "elsewhere.example"])
    }).pipe(Effect.scoped)
  )
})

const Started = Context.Service<{ readonly program: Program.Program; readonly server: Names.StreamServer }>(
  "test/e2e/name-servers/Started"
)

const started = Layer.effect(
  Started,
  Effect.gen(function* () {
    const path = yield* directory
    const authority = certificate(path, "authority", "/CN=authority")
    // The certificate has the address of loopback, and no other name than localhost.
    const { cert, key } = certificate(path, "server", "/CN=server", authority)
    const server = yield* Names.serveStream(answers, { tls: { cert, key } })
    const address = `tls://127.0.0.1:${server.port}`
    const dns = [`${address}?name=dns.example`, address].join()
    const program = yield* Program.start(
      [
        ...["--dns", dns, "--prefer", "ipv4"],
        ...["--static-hosts", "known.example=127.0.0.1,Two.example=127.0.0.2"]
      ],
      { env: { NODE_EXTRA_CA_CERTS: authority.certFile } }
    )
    return { program, server }
  })
)

layer(started, { excludeTestServices: true })(
  "The program with --dns tls://, --prefer and --static-hosts",
  (it) => {
    it.effect("asks that server, and tries the preferred family first", () =>
      Effect.gen(function* () {
        const { program, server } = yield* Started
        const target = yield* listen()
        const { client, code } = yield* ask(program.port, "both.example", target.port)
        assert.strictEqual(code, 0x00)
        assert.include(server.asked, "both.example")
        assert.strictEqual((yield* target.accept).duplex.localAddress, "127.0.0.1")
        yield* client.end
      })
    )

    it.effect("sends no query for a name of the settings", () =>
      Effect.gen(function* () {
        const { program, server } = yield* Started
        const target = yield* listen()
        const before = server.asked.length
        assert.strictEqual((yield* ask(program.port, "KNOWN.example", target.port)).code, 0x00)
        assert.strictEqual((yield* ask(program.port, "two.example", target.port)).code, 0x05)
        assert.strictEqual(server.asked.length, before)
      })
    )

    it.effect("sends no query to a server with a wrong or unknown certificate", () =>
      Effect.gen(function* () {
        const { program, server } = yield* Started
        // The first server of the settings is the same one by another name, and would have answered, too.
        assert.strictEqual((yield* ask(program.port, "none.example", 80)).code, 0x04)
        assert.lengthOf(
          server.asked.filter((name) => name === "none.example"),
          2
        )
        const stranger = asking(`tls://127.0.0.1:${server.port}?name=localhost`)
        assert.notInclude(["ENOTFOUND", "ETIMEOUT"], yield* asked(stranger, "none.example"))
        assert.lengthOf(
          server.asked.filter((name) => name === "none.example"),
          2
        )
      })
    )
  }
)
