/**
 * Long bodies of forwarded requests, which the transports relay without reading them: each byte arrives, in order, and none
 * of what is behind a body goes with it.
 */
import { createHash } from "node:crypto"
import * as http from "node:http"
import * as http2 from "node:http2"
import * as https from "node:https"
import { connect } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Admin from "../support/admin.ts"
import * as Origin from "../support/origin.ts"
import * as Program from "../support/program.ts"

const MiB = 1024 * 1024

/** No power of two, so that a byte in a wrong place is found. */
const pattern = Buffer.from(Array.from({ length: 65_521 }, (_, i) => (i * 7919 + (i >> 8)) & 0xff))

const body = (size: number): Buffer => Buffer.alloc(size, pattern)

const sum = (bytes: Uint8Array): string => createHash("sha1").update(bytes).digest("hex")

/** Gives `/SIZE`, counts uploads, and cuts `/cut` off or stops in `/stop`. */
const origin = Origin.http((asked, response) => {
  if (asked.method === "GET") {
    const [, what, size] = /^\/([a-z]*)(\d*)$/.exec(asked.url!) ?? []
    response.setHeader("content-length", what === "" ? Number(size) : 8 * MiB)
    if (what === "") return void response.end(body(Number(size)))
    return void response.write(body(5 * MiB), () => {
      if (what === "cut") response.socket?.resetAndDestroy()
    })
  }
  const hash = createHash("sha1")
  let size = 0
  asked
    .on("data", (chunk: Buffer) => {
      size += chunk.length
      hash.update(chunk)
    })
    .on("end", () => response.end(`${size} ${hash.digest("hex")}`))
})

type Place =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number; readonly rejectUnauthorized?: false }

/** Asks on one connection at a time. A slow client stops reading now and then. */
const asking = (place: Place, port: number, isSlow = false) => {
  const { Agent, request } = "rejectUnauthorized" in place ? https : http
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return (path: string, sent?: Buffer) =>
    Effect.callback<Buffer | string>((resume) => {
      const parts: Array<Buffer> = []
      const asked = request({
        ...place,
        agent,
        method: sent ? "POST" : "GET",
        path: `http://127.0.0.1:${port}${path}`,
        headers: { host: `127.0.0.1:${port}`, ...(sent && { "content-length": sent.length }) }
      })
      asked
        .on("error", ({ message }) => resume(Effect.succeed(message)))
        .on("response", (response) =>
          response
            .on("data", (chunk: Buffer) => {
              parts.push(chunk)
              if (!isSlow || parts.length % 50 !== 0) return
              response.pause()
              setTimeout(() => response.resume(), 5)
            })
            .on("end", () => resume(Effect.succeed(Buffer.concat(parts))))
            .on("error", ({ message }) => resume(Effect.succeed(message)))
        )
        .end(sent)
    })
}

/** Sizes around those at which a body is relayed, and at which the relay ends. */
const sizes = [1, 2 * MiB - 1, 2 * MiB + 1, 2 * MiB + 70_000, 5_000_019]

const token = "0123456789-abcdefghij"

const socketOf = (what: string, transport: string) =>
  join("/tmp", `effect-socks-long-${process.pid}-${transport}-${what}.sock`)

describe.each(["node", "descriptors"])("the transport %s", (transport) => {
  const started = Program.forFile([
    ...["--transport", transport, "--private-targets", "allow", "--idle-timeout", "2s"],
    ...["--admin", `unix:${socketOf("admin", transport)}`, "--admin-token", token],
    ...["--listen", "127.0.0.1:0", "--listen", `unix:${socketOf("proxy", transport)}`],
    ...["--listen", "tls:127.0.0.1:0", "--tls", "auto"]
  ])
  const place = Effect.map(started, ({ port }) => ({ host: "127.0.0.1", port }))
  const overTls = Effect.map(started, ({ addresses }) => Program.portOf(addresses[2]!))
  const places = Effect.gen(function* (): Effect.fn.Return<ReadonlyArray<Place>> {
    const { addresses } = yield* started
    return [
      yield* place,
      { socketPath: addresses[1]!.replace(/^unix:/, "") },
      { host: "127.0.0.1", port: yield* overTls, rejectUnauthorized: false }
    ]
  })

  it.live(
    "passes each byte both ways, on connections that are used again, over TCP, Unix-domain sockets and TLS",
    () =>
      Effect.gen(function* () {
        const { port } = yield* origin
        for (const where of yield* places) {
          for (const isSlow of [false, true]) {
            const ask = asking(where, port, isSlow)
            for (const size of isSlow ? [5_000_019] : sizes) {
              const got = yield* ask(`/${size}`)
              assert.strictEqual(got.length, size)
              assert.strictEqual(sum(Buffer.from(got)), sum(body(size)))
              assert.strictEqual(String(yield* ask("/", body(size))), `${size} ${sum(body(size))}`)
            }
          }
        }
      })
  )

  it.live("waits for a client of HTTP/2 that has no room for the body yet", () =>
    Effect.gen(function* () {
      const { port } = yield* origin
      const size = 30_000_019
      const session = yield* Effect.acquireRelease(
        Effect.map(overTls, (to) =>
          http2.connect(`https://127.0.0.1:${to}`, {
            rejectUnauthorized: false,
            settings: { initialWindowSize: 0 }
          })
        ),
        (session) => Effect.sync(() => session.destroy())
      )
      const stream = session.request({
        ":scheme": "http",
        ":authority": `127.0.0.1:${port}`,
        ":path": `/${size}`
      })
      yield* Effect.callback<void>((resume) => void stream.once("response", () => resume(Effect.void)))
      const { memory } = yield* started
      const before = memory()
      yield* Effect.sleep("300 millis")
      assert.isBelow(memory() - before, 40 * MiB)
      const parts: Array<Buffer> = []
      session.settings({ initialWindowSize: MiB })
      stream.on("data", (chunk: Buffer) => void parts.push(chunk))
      yield* Effect.callback<void>((resume) => void stream.once("close", () => resume(Effect.void)))
      assert.strictEqual(sum(Buffer.concat(parts)), sum(body(size)))
    }).pipe(Effect.scoped)
  )

  it.live("passes no byte of the next request on with a body", () =>
    Effect.gen(function* () {
      const { port } = yield* origin
      const at = yield* place
      const size = 3 * MiB + 5
      const url = `http://127.0.0.1:${port}`
      const found = yield* Effect.callback<string>((resume) => {
        let text = ""
        const socket = connect(at)
        socket
          .on("data", (chunk) => {
            text += chunk.toString("latin1")
            if (!text.endsWith("last")) return
            socket.destroy()
            resume(Effect.succeed(text))
          })
          .write(
            Buffer.concat([
              Buffer.from(`POST ${url}/ HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`),
              body(size),
              Buffer.from(`PUT ${url}/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nlast`),
              Buffer.from(`TRACE ${url}/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
            ])
          )
        socket.on("close", () => resume(Effect.succeed(text)))
      })
      assert.include(found, `${size} ${sum(body(size))}`)
      assert.include(found, `4 ${sum(Buffer.from("last"))}`)
      assert.include(found, "HTTP/1.1 405")
    })
  )

  it.live(
    "reports an incomplete body, a body that stops, and a client that leaves, with the bytes so far",
    () =>
      Effect.gen(function* () {
        const { port } = yield* origin
        const { logged } = yield* started
        const at = yield* place
        const ask = asking(at, port)
        assert.match(String(yield* ask("/cut")), /aborted|reset|hang up/i)
        const cut = yield* logged({ outcome: "target reset" })
        assert.isAtLeast(Number(cut.received), MiB)
        assert.match(String(yield* ask("/stop")), /aborted|reset|hang up/i)
        const idle = yield* logged({ outcome: "idle" })
        assert.isAtLeast(Number(idle.received), 5 * MiB)
        assert.isAtMost(Number(idle.received), 5 * MiB + 1000)
        const socket = connect(at)
        socket.write(`GET http://127.0.0.1:${port}/50000000 HTTP/1.1\r\nHost: a\r\n\r\n`)
        yield* Effect.callback<void>((resume) => void socket.once("data", () => resume(Effect.void)))
        socket.resetAndDestroy()
        const gone = yield* logged({ outcome: "client reset" })
        assert.isBelow(Number(gone.received), 50_000_000)
        assert.strictEqual((yield* ask("/7")).length, 7)
      })
  )

  it.live("ends a session in the middle of a body, by its number, and shows the bytes so far", () =>
    Effect.gen(function* () {
      const { port } = yield* origin
      const { logged } = yield* started
      const admin = { socketPath: socketOf("admin", transport), token }
      const { socket, closed } = yield* pausing(yield* place, port)
      const sessions = Admin.ask(admin, `/api/sessions?command=FORWARD`)
      const { json } = yield* Effect.repeat(sessions, { until: ({ json }) => json[0]?.received > MiB })
      assert.strictEqual(
        (yield* Admin.ask(admin, `/api/sessions/${json[0].id}`, { method: "DELETE" })).status,
        204
      )
      socket.resume()
      assert.isBelow(yield* closed, whole)
      const { received, status } = yield* logged({ outcome: "ended by operator" })
      assert.strictEqual(status, 200)
      assert.isAtLeast(Number(received), MiB)
    })
  )
})

const whole = 100_000_000

/** A client that asks for a long body, and reads no more than its beginning. Tells how much it had at its end. */
const pausing = (at: Exclude<Place, { readonly socketPath: string }>, port: number) =>
  Effect.gen(function* () {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => connect(at)),
      (socket) => Effect.sync(() => socket.destroy())
    )
    let size = 0
    const closed = new Promise<number>((resolve) => {
      socket
        .on("error", () => {})
        .on("data", ({ length }) => {
          size += length
        })
        .on("close", () => resolve(size))
    })
    socket.write(`GET http://127.0.0.1:${port}/${whole} HTTP/1.1\r\nHost: a\r\n\r\n`)
    yield* Effect.callback<void>((resume) => void socket.once("data", () => resume(Effect.void)))
    socket.pause()
    return { socket, closed: Effect.promise(() => closed) }
  })

it.live("obeys the limit of bandwidth, whatever transport relays it", () =>
  Effect.gen(function* () {
    const { port } = yield* origin
    const size = 6 * MiB
    const took = yield* Effect.forEach(
      ["node", "descriptors"],
      (transport) =>
        Effect.gen(function* () {
          const limited = yield* Program.start([
            ...["--transport", transport, "--private-targets", "allow", "--bandwidth-session", "4MiB"]
          ])
          const ask = asking({ host: "127.0.0.1", port: limited.port }, port)
          const begun = performance.now()
          assert.strictEqual((yield* ask(`/${size}`)).length, size)
          const down = performance.now() - begun
          yield* ask("/", body(size))
          return [down, performance.now() - begun - down]
        }),
      { concurrency: 2 }
    )
    // Of 1.5 seconds, the first quarter's worth passes at once.
    for (const millis of took.flat()) {
      assert.isAtLeast(millis, 1200)
      assert.isAtMost(millis, 4000)
    }
  })
)
