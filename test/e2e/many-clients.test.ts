/**
 * Many clients at once, by all ways into the server, whose sockets are read into the
 * same memory: each gets its own bytes.
 *
 * @module-tag transport
 */
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { createServer } from "node:http"
import { connect as connectPlain } from "node:net"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import { setTimeout } from "node:timers/promises"
import { connect as connectTls } from "node:tls"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { certificate } from "../support/certificates.ts"
import { greeting, request } from "../support/messages.ts"
import { itNeeds } from "../support/needs.ts"
import * as Program from "../support/program.ts"
import { echo, serve } from "../support/sockets.ts"
import { receiveAll, sendAll } from "../support/streams.ts"
import { directory } from "../support/temporary.ts"

/** A request for a target that sends back what it gets, of so many bytes, and the length of the answer before those. */
interface Protocol {
  readonly open: (size: number) => Buffer
  readonly answerLength: (received: Buffer) => number
}

const headLength = (received: Buffer) => received.indexOf("\r\n\r\n") + 4

const protocols = (tunnels: number, web: number): ReadonlyArray<Protocol> => [
  {
    open: () => Buffer.from([...greeting(0x00), ...request("127.0.0.1", tunnels)]),
    answerLength: () => 2 + 10
  },
  {
    open: () => Buffer.from([0x04, 0x01, tunnels >> 8, tunnels & 0xff, 127, 0, 0, 1, 0]),
    answerLength: () => 8
  },
  {
    open: () => Buffer.from(`CONNECT 127.0.0.1:${tunnels} HTTP/1.1\r\nHost: 127.0.0.1:${tunnels}\r\n\r\n`),
    answerLength: headLength
  },
  {
    open: (size) =>
      Buffer.from(
        `PUT http://127.0.0.1:${web}/ HTTP/1.1\r\nHost: 127.0.0.1:${web}\r\n` +
          `Content-Length: ${size}\r\nConnection: close\r\n\r\n`
      ),
    answerLength: headLength
  }
]

/**
 * What a client sends and gets back. All of it goes behind the request, without waiting for the answer. A slow client
 * reads nothing at first, so that the server can write only parts of what it has read.
 */
const session = async (socket: Duplex, { open, answerLength }: Protocol, seed: number) => {
  const isSlow = seed % 2 === 0
  const sent = randomBytes(isSlow ? 1_500_000 : 200_000)
  const sending = sendAll(socket, Buffer.concat([open(sent.length), sent]), seed)
  if (isSlow) await setTimeout(300)
  const received = await receiveAll(socket, isSlow)
  await sending
  return received.subarray(answerLength(received)).equals(sent)
}

itNeeds("openssl")("many clients at once get back their own bytes, whole and in order", () =>
  Effect.gen(function* () {
    const path = yield* directory
    const { cert, certFile, keyFile } = certificate(path, "server", "/CN=localhost")
    const unix = join(path, "socket")
    const { addresses } = yield* Program.start([
      ...["--listen", "127.0.0.1:0", "--listen", "tls:127.0.0.1:0", "--listen", `unix:${unix}`],
      ...["--tls-cert", certFile, "--tls-key", keyFile]
    ])
    const [port = 0, tls = 0] = addresses.map(Program.portOf)
    const http = createServer((request, response) => {
      response.setHeader("Content-Length", request.headers["content-length"]!)
      request.pipe(response)
    })
    const all = protocols(
      (yield* echo()).port,
      (yield* serve((socket) => http.emit("connection", socket))).port
    )
    const dial = (port: number) => connectPlain({ port, host: "127.0.0.1", allowHalfOpen: true })
    const ways = [
      () => dial(port),
      () => connectPlain({ path: unix, allowHalfOpen: true }),
      () => connectTls({ socket: dial(tls), servername: "localhost", ca: cert })
    ]
    const sessions = Array.from({ length: 96 }, (_, i) => ({
      way: i % ways.length,
      protocol: Math.floor(i / ways.length) % all.length,
      seed: Math.floor(i / ways.length / all.length)
    }))
    const outcomes = yield* Effect.promise(() =>
      Promise.all(
        sessions.map(async ({ way, protocol, seed }) => {
          const socket = ways[way]!()
          await once(socket, way === 2 ? "secureConnect" : "connect")
          const isWhole = await session(socket, all[protocol]!, seed)
          socket.destroy()
          return isWhole
        })
      )
    )
    assert.deepStrictEqual(
      sessions.filter((_, i) => !outcomes[i]),
      []
    )
  })
)
