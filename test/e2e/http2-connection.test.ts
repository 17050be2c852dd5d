/**
 * Connections of HTTP/2 on real sockets: however a client goes away, its sessions end with it, and however an origin does,
 * its client hears of it.
 *
 * @module-tag transport
 */
import { once } from "node:events"
import * as http2 from "node:http2"
import { connect as connectTcp } from "node:net"
import { connect as connectTls } from "node:tls"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Program from "../support/program.ts"
import { listen } from "../support/sockets.ts"

const withTls = Program.forFile(["--listen", "tls:127.0.0.1:0", "--tls", "auto", "--log-level", "debug"])

/** A tunnel on a connection, whose parts the test has. */
const tunnel = Effect.fnUntraced(function* (port: number, target: number) {
  const tcp = yield* Effect.acquireRelease(
    Effect.sync(() => connectTcp(port, "127.0.0.1").on("error", () => {})),
    (socket) => Effect.sync(() => socket.destroy())
  )
  const tls = connectTls({ socket: tcp, ALPNProtocols: ["h2"], rejectUnauthorized: false })
  tls.on("error", () => {})
  const session = http2.connect("https://proxy.example", { createConnection: () => tls })
  session.on("error", () => {})
  const stream = session.request({ ":method": "CONNECT", ":authority": `127.0.0.1:${target}` })
  stream.on("error", () => {})
  yield* Effect.callback<void>((resume) => void stream.once("response", () => resume(Effect.void)))
  return { tcp, tls, session, stream }
})

type Ends = Effect.Success<ReturnType<typeof tunnel>>

it.live.each([
  ["ends HTTP/2", ({ session }: Ends) => session.destroy()],
  ["ends TLS", ({ tls }: Ends) => tls.end()],
  ["closes", ({ tcp }: Ends) => tcp.destroy()],
  ["resets", ({ tcp }: Ends) => tcp.resetAndDestroy()]
] as const)("A client that %s its connection has no session left", ([, leave]) =>
  Effect.gen(function* () {
    const program = yield* withTls
    const target = yield* listen()
    const ends = yield* tunnel(program.port, target.port)
    const origin = yield* target.accept
    leave(ends)
    assert.strictEqual(yield* origin.ending, "reset")
    const session = yield* program.logged({ command: "CONNECT", target: `127.0.0.1:${target.port}` })
    assert.strictEqual(session.outcome, "client reset")
  })
)

it.live("An origin that breaks off while nothing else happens is heard", () =>
  Effect.gen(function* () {
    const program = yield* withTls
    const target = yield* listen()
    const session = yield* Effect.acquireRelease(
      Effect.sync(() => http2.connect(`https://127.0.0.1:${program.port}`, { rejectUnauthorized: false })),
      (session) => Effect.sync(() => session.destroy())
    )
    const stream = session.request({
      ":scheme": "http",
      ":authority": `127.0.0.1:${target.port}`,
      ":path": "/"
    })
    const closed = Effect.callback<number>((resume) => {
      stream.on("error", () => {}).once("close", () => resume(Effect.succeed(stream.rstCode ?? 0)))
    })
    const origin = yield* target.accept
    yield* origin.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
    yield* Effect.callback<void>((resume) => void stream.once("data", () => resume(Effect.void)))
    yield* Effect.sleep("50 millis")
    yield* origin.end
    assert.strictEqual(yield* Effect.timeout(closed, "5 seconds"), http2.constants.NGHTTP2_INTERNAL_ERROR)
    const { outcome } = yield* program.logged({ command: "FORWARD", target: `127.0.0.1:${target.port}` })
    assert.strictEqual(outcome, "target reset")
  }).pipe(Effect.scoped)
)

it.live("A client hears of the end of the server, and its tunnels go on", () =>
  Effect.gen(function* () {
    const program = yield* Program.start([
      ...["--listen", "tls:127.0.0.1:0", "--tls", "auto"],
      ...["--drain-timeout", "1m", "--log-level", "debug"]
    ])
    const target = yield* listen()
    const closing = (session: http2.ClientHttp2Session) =>
      Effect.callback<void>((resume) => void session.once("close", () => resume(Effect.void)))
    const busy = yield* tunnel(program.port, target.port)
    const origin = yield* target.accept
    const idle = yield* tunnel(program.port, target.port)
    yield* (yield* target.accept).reset
    const isClosed = yield* Effect.forkChild(closing(idle.session))
    yield* program.logged({ command: "CONNECT", outcome: "target reset" })
    const heard = Effect.callback<number>((resume) => {
      busy.session.once("goaway", (code) => resume(Effect.succeed(code)))
    })
    const isHeard = yield* Effect.forkChild(heard)
    yield* program.kill("SIGTERM")
    assert.strictEqual(yield* Fiber.join(isHeard), http2.constants.NGHTTP2_NO_ERROR)
    yield* Fiber.join(isClosed)
    yield* origin.send("still")
    const [bytes] = yield* Effect.promise(() => once(busy.stream, "data"))
    assert.strictEqual(String(bytes), "still")
    busy.stream.end()
    yield* origin.end
    const { code } = yield* program.within("5 seconds")
    assert.strictEqual(code, 0)
  }).pipe(Effect.scoped)
)

it.live("A client that cancels its requests at once has no more sessions than one that waits", () =>
  Effect.gen(function* () {
    const program = yield* withTls
    const session = yield* Effect.acquireRelease(
      Effect.sync(() => http2.connect(`https://127.0.0.1:${program.port}`, { rejectUnauthorized: false })),
      (session) => Effect.sync(() => session.destroy())
    )
    session.on("error", () => {})
    yield* Effect.callback<void>((resume) => void session.once("remoteSettings", () => resume(Effect.void)))
    const path = "/.well-known/masque/udp/127.0.0.1/9/"
    const asked = { ":method": "CONNECT", ":protocol": "connect-udp", ":scheme": "https", ":path": path }
    const over = Effect.callback<void>((resume) => void session.once("goaway", () => resume(Effect.void)))
    const isOver = yield* Effect.forkChild(over)
    for (let i = 0; i < 400 && !session.closed; i++) {
      const stream = session.request({ ...asked, ":authority": "a" }).on("error", () => {})
      stream.close(http2.constants.NGHTTP2_CANCEL)
      if (i % 50 === 49) yield* Effect.sleep("20 millis")
    }
    yield* Effect.timeout(Fiber.join(isOver), "5 seconds")
    yield* Effect.sleep("100 millis")
    assert.isBelow(program.lines().filter(({ command }) => command === "ASSOCIATE").length, 200)
  }).pipe(Effect.scoped)
)
