/**
 * Origins that answer an upload before they have read it, and close their connection with bytes unread.
 *
 * @module-tag transport
 */
import { request } from "node:http"
import type { AddressInfo } from "node:net"
import { connect, createServer, type Socket } from "node:net"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Origin from "../support/origin.ts"
import * as Program from "../support/program.ts"

const body = Buffer.alloc(5_000_000, "x")

/** An origin that answers 401 to the head of a request, and closes. */
const hasty = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.once("data", () => {
        socket.write("HTTP/1.1 401 No\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlogin", () =>
          socket.destroy()
        )
      })
    }).listen(0, "127.0.0.1", () => {
      const close = () => {
        server.close()
        for (const socket of sockets) socket.destroy()
      }
      resume(Effect.succeed({ port: (server.address() as AddressInfo).port, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

/** The status and body of the answer to an upload through the proxy. */
const upload = (proxy: number, origin: number) =>
  Effect.callback<string>((resume) => {
    let found = ""
    const outgoing = request({
      host: "127.0.0.1",
      port: proxy,
      method: "POST",
      path: `http://127.0.0.1:${origin}/`,
      headers: { "content-length": body.length }
    })
    outgoing.on("response", (response) => {
      found = `${response.statusCode} `
      response.on("data", (chunk) => {
        found += chunk
      })
      response.on("end", () => resume(Effect.succeed(found)))
      response.on("error", ({ message }) => resume(Effect.succeed(message)))
    })
    outgoing.on("error", ({ message }) => resume(Effect.succeed(found === "" ? message : found)))
    // The upload may go on behind the response, when nobody else hears of a failed write.
    outgoing.on("socket", (socket) => socket.on("error", () => {}))
    outgoing.end(body)
  })

it.live("are passed on every time", () =>
  Effect.gen(function* () {
    const server = yield* Program.start([])
    const { port } = yield* hasty
    const all: Array<string> = []
    for (let i = 0; i < 20; i++) all.push(yield* upload(server.port, port))
    assert.deepStrictEqual(all, Array(20).fill("401 login"))
  }).pipe(Effect.scoped)
)

it.live("get a long body whole, and the bytes behind it are the next request", () =>
  Effect.gen(function* () {
    const server = yield* Program.start([])
    let received = 0
    const origin = yield* Origin.http((incoming, response) => {
      incoming.on("data", (chunk: Buffer) => {
        received += chunk.length
      })
      incoming.on("end", () => response.end(`${received} of ${incoming.url}`))
    })
    const found = yield* Effect.callback<string>((resume) => {
      const socket = connect(server.port, "127.0.0.1")
      let text = ""
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1")
      })
      socket.on("error", () => {})
      socket.on("close", () => resume(Effect.succeed(text)))
      const head = (method: string, path: string, fields: string) =>
        `${method} ${origin.url}${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n`
      socket.write(head("POST", "/1", `Content-Length: ${body.length}`))
      socket.write(body)
      socket.write(head("POST", "/2", "Content-Length: 3\r\nConnection: close"))
      socket.write("end")
    })
    assert.include(found, `${body.length} of /1`)
    assert.include(found, `${body.length + 3} of /2`)
  }).pipe(Effect.scoped)
)
