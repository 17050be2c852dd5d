/**
 * Upstreams over TLS and on Unix-domain sockets, with each transport: this server in front of itself.
 */
import { writeFile } from "node:fs/promises"
import { connect as dial } from "node:net"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { certificate } from "../support/certificates.ts"
import { datagram } from "../support/messages.ts"
import * as Origin from "../support/origin.ts"
import * as Program from "../support/program.ts"
import { ask, echo, socketOf } from "../support/sockets.ts"
import { pattern, receiveAll, sendAll } from "../support/streams.ts"
import { directory } from "../support/temporary.ts"
import * as Udp from "../support/udp.ts"

/** The URLs of upstreams that work, and of those that do not. */
const upstreams = Effect.gen(function* () {
  const path = yield* directory
  const own = certificate(path, "server", "/CN=localhost")
  const authority = certificate(path, "ca", "/CN=an authority")
  const alice = certificate(path, "alice", "/O=Example/CN=alice", authority)
  const socket = join(path, "socket")
  const tls = ["--tls-cert", own.certFile, "--tls-key", own.keyFile]
  const [withPassword, withCertificate] = yield* Effect.all(
    [
      Program.start([
        ...["--listen", "tls:127.0.0.1:0?udp=true", "--listen", `unix:${socket}`, "--user", "alice:secret"],
        ...tls
      ]),
      Program.start(["--listen", "tls:127.0.0.1:0?udp=true", "--tls-client-ca", authority.certFile, ...tls])
    ],
    { concurrency: 2 }
  )
  const [port, certified] = [withPassword.port, withCertificate.port]
  const ca = `ca=${own.certFile}`
  const key = `cert=${alice.certFile}&key=${alice.keyFile}`
  return {
    working: {
      https: `https://alice:secret@localhost:${port}?${ca}`,
      "https-names": `https://alice:secret@127.0.0.1:${port}?${ca}&names=upstream`,
      "socks5-tls": `socks5+tls://alice:secret@localhost:${port}?${ca}`,
      "socks5-tls-pipelined": `socks5+tls://alice:secret@localhost:${port}?${ca}&pipelined=true`,
      "socks5-unix": `socks5://alice:secret@unix:${socket}`,
      "http-unix": `http://alice:secret@unix:${socket}`,
      "https-certificate": `https://localhost:${certified}?${ca}&${key}`,
      "socks4-tls-certificate": `socks4+tls://localhost:${certified}?${ca}&${key}`,
      "tls-behind-unix": [
        `socks5://alice:secret@unix:${socket}`,
        `socks5+tls://127.0.0.1:${certified}?${ca}&${key}`
      ],
      "tls-in-tls": [
        `https://localhost:${certified}?${ca}&${key}`,
        `socks5+tls://alice:secret@localhost:${port}?${ca}`
      ]
    },
    failing: {
      "no-ca": `https://alice:secret@localhost:${port}`,
      "no-certificate": `https://localhost:${certified}?${ca}`,
      "no-socket": `socks5://unix:${socket}-missing`
    }
  }
})

const transports = ["node", "descriptors"] as const

/** A server with a route for each of the upstreams, and names that take them. */
const started = Effect.fnUntraced(function* (
  transport: (typeof transports)[number],
  upstreams: Readonly<Record<string, string | ReadonlyArray<string>>>
) {
  const routes = Object.entries(upstreams).map(([name, via]) => ({ name, via }))
  const config = {
    ...{ listen: "127.0.0.1:0", transport, "log-decisions": "none", routes },
    rules: routes.map(({ name }) => ({ allow: true, to: `${name}.localhost`, route: name }))
  }
  const file = join(yield* directory, "config.json")
  yield* Effect.promise(() => writeFile(file, JSON.stringify(config)))
  return yield* Program.start(["--config", file])
})

it.live("upstreams over TLS and on Unix-domain sockets pass bytes both ways, and fail as upstreams", () =>
  Effect.gen(function* () {
    const { working, failing } = yield* upstreams
    const [{ port }, origin] = [yield* echo(), yield* Origin.http()]
    const bytes = Buffer.from(pattern(1_000_000))
    const test = Effect.fnUntraced(function* (transport: (typeof transports)[number]) {
      const front = yield* started(transport, { ...working, ...failing })
      for (const name of Object.keys(working)) {
        const shown = `${name} on ${transport}`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { client, code } = yield* ask(front.port, `${name}.localhost`, port)
            assert.strictEqual(code, 0, shown)
            const socket = socketOf(client).resume()
            const [received] = yield* Effect.promise(() =>
              Promise.all([receiveAll(socket, false), sendAll(socket, bytes, 0)])
            )
            assert.isTrue(received.equals(bytes), shown)
          })
        )
        yield* front.logged({ message: "session", route: name, outcome: "finished" })
        const page = yield* forwarded(front.port, `http://${name}.localhost:${origin.port}/`)
        assert.include(page, Origin.page, shown)
      }
      for (const name of Object.keys(failing)) {
        const { code } = yield* Effect.scoped(ask(front.port, `${name}.localhost`, port))
        assert.strictEqual(code, 1, name)
        const { outcome } = yield* front.logged({ message: "session", target: `${name}.localhost:${port}` })
        assert.strictEqual(outcome, name === "no-socket" ? "UpstreamUnreachable" : "UpstreamFailed", name)
      }
    })
    yield* Effect.forEach(transports, test, { concurrency: 2 })
  }).pipe(Effect.scoped)
)

it.live("datagrams go to the relay of an upstream over TLS if its URL says so, and not otherwise", () =>
  Effect.gen(function* () {
    const { working } = yield* upstreams
    const { "socks5-tls": password, "tls-in-tls": chain } = working
    const [https, last] = chain as [string, string]
    const first = https.replace("https:", "socks5+tls:")
    const target = yield* Udp.echo()
    for (const transport of transports) {
      const refused = yield* started(transport, { password, chain: [first, last] })
      assert.strictEqual((yield* Udp.associate(refused.port)).code, 7)
      const front = yield* started(transport, {
        password: `${password}&udp=true`,
        chain: [`${first}&udp=true`, `${last}&udp=true`],
        // HTTP relays none, whatever its URL says.
        http: [`${https}&udp=true`, `${last}&udp=true`]
      })
      const { port, host, control } = yield* Udp.associate(front.port)
      const client = yield* Udp.open()
      for (const name of ["password", "chain"]) {
        yield* client.send(datagram("http.localhost", target.port, [0]), port, host)
        yield* client.send(datagram(`${name}.localhost`, target.port, [1, 2, 3]), port, host)
        assert.deepStrictEqual(
          (yield* client.receive).bytes,
          datagram("127.0.0.1", target.port, [1, 2, 3]),
          `${name} on ${transport}`
        )
      }
      yield* control.end
      yield* front.logged({ message: "session", command: "ASSOCIATE", route: "chain" })
    }
  }).pipe(Effect.scoped)
)

/** The response to a forwarded request. */
const forwarded = (port: number, url: string) =>
  Effect.callback<string>((resume) => {
    const socket = dial(port, "127.0.0.1")
    let text = ""
    socket.on("data", (chunk) => {
      text += chunk
    })
    socket.on("close", () => resume(Effect.succeed(text))).on("error", () => {})
    socket.write(`GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  })
