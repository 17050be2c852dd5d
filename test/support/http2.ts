/**
 * Clients of HTTP/2, on connections in memory.
 */
import * as http2 from "node:http2"
import { Duplex } from "node:stream"
import { connect as connectTls } from "node:tls"
import * as Effect from "effect/Effect"
import * as Tls from "../../src/network/Tls.ts"
import { connectWith, type Peer, peer } from "../../src/testing/index.ts"
import { certificate } from "./certificates.ts"
import { directory } from "./temporary.ts"

export interface Answered {
  readonly status: number | undefined
  readonly fields: http2.IncomingHttpHeaders
  readonly trailers: http2.IncomingHttpHeaders
  /** The statuses of interim responses. */
  readonly interim: ReadonlyArray<number>
  /** One character for each byte. */
  readonly body: string
  /** The code of the reset; 0 without one. */
  readonly code: number
}

/** A client of a TLS listener in memory, after its handshake with these protocols. */
export const dialTls = Effect.fnUntraced(function* (ALPNProtocols: ReadonlyArray<string> = ["h2"]) {
  const path = yield* directory
  const secure = Tls.make({ ...certificate(path, "server", "/CN=localhost"), clientCa: undefined })
  const { duplex } = yield* connectWith({ secure })
  duplex.removeAllListeners("data")
  const socket = connectTls({
    socket: later(duplex),
    rejectUnauthorized: false,
    ALPNProtocols: [...ALPNProtocols]
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
  yield* Effect.callback<void>((resume) => {
    socket.once("secureConnect", () => resume(Effect.void)).once("error", () => resume(Effect.void))
  })
  return socket
})

/**
 * The connection, with what comes and goes a turn later. In memory, a write would be read by the other side before it
 * returns, and Node's HTTP/2 is not made for that.
 */
const later = (near: Duplex): Duplex => {
  const far = new Duplex({
    read: () => near.resume(),
    write: (chunk, _, done) => void setImmediate(() => near.write(chunk, done)),
    final: (done) => void setImmediate(() => near.end(done)),
    destroy: (error, done) => {
      near.destroy()
      done(error)
    }
  })
  near
    .on("data", (chunk) => setImmediate(() => far.push(chunk)))
    .on("end", () => setImmediate(() => far.push(null)))
    .on("close", () => setImmediate(() => far.destroy()))
  return far
}

/** A client that speaks HTTP/2 on a connection in memory. */
export const dial = Effect.fnUntraced(function* (options: http2.ClientSessionOptions = {}) {
  const socket = yield* dialTls()
  const session = http2.connect("http://proxy.example", { ...options, createConnection: () => socket })
  session.on("error", () => {})
  yield* Effect.addFinalizer(() => Effect.sync(() => session.destroy()))
  return session
})

/** Makes a request, without a body if nothing is to be sent, and waits for the end of its stream. */
export const ask = (
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  send?: (stream: http2.ClientHttp2Stream) => void
): Effect.Effect<Answered> =>
  Effect.callback((resume) => {
    const stream = session.request(headers, { endStream: send === undefined })
    let fields: http2.IncomingHttpHeaders = {}
    let trailers: http2.IncomingHttpHeaders = {}
    let body = ""
    const interim: Array<number> = []
    stream
      .on("headers", (informed) => interim.push(Number(informed[":status"])))
      .on("response", (received) => {
        fields = received
      })
      .on("trailers", (received) => {
        trailers = received
      })
      .on("data", (chunk: Buffer) => {
        body += chunk.toString("latin1")
      })
      .on("error", () => {})
      .on("close", () =>
        resume(
          Effect.succeed({
            status: fields[":status"] === undefined ? undefined : Number(fields[":status"]),
            fields,
            trailers,
            interim,
            body,
            code: stream.rstCode ?? 0
          })
        )
      )
    send?.(stream)
  })

/** Opens a tunnel. Gives the peer after the response. */
export const tunnel = Effect.fnUntraced(function* (
  session: http2.ClientHttp2Session,
  authority: string,
  headers: http2.OutgoingHttpHeaders = {}
) {
  const stream = session.request({ ":method": "CONNECT", ":authority": authority, ...headers })
  const client: Peer = peer(stream)
  const status = yield* Effect.callback<number | undefined>((resume) => {
    stream
      .once("response", (received) => resume(Effect.succeed(received[":status"])))
      .once("close", () => resume(Effect.undefined))
  })
  return { ...client, stream, status }
})

/** What a client sends first: the preface, and empty settings (RFC 9113 §3.4). */
export const preface = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])
])

/** A frame (RFC 9113 §4.1). */
export const frame = (type: number, flags: number, stream: number, payload: Uint8Array): Buffer => {
  const header = Buffer.alloc(9)
  header.writeUIntBE(payload.length, 0, 3)
  header[3] = type
  header[4] = flags
  header.writeUInt32BE(stream, 5)
  return Buffer.concat([header, payload])
}

export const Type = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9
} as const

/** Field lines of fewer than 127 bytes each, without compression (RFC 7541 §6.2.2). */
export const block = (fields: Readonly<Record<string, string>>): Buffer =>
  Buffer.concat(
    Object.entries(fields).map(([name, value]) =>
      Buffer.from([
        0,
        name.length,
        ...Buffer.from(name, "latin1"),
        value.length,
        ...Buffer.from(value, "latin1")
      ])
    )
  )

/**
 * A client of frames, that is told by no library what they mean: `told` says what came on a stream, as HEADERS, the size of
 * DATA, END for END_STREAM, and the code of RST_STREAM; and on stream 0 of the connection. It answers no PING.
 */
export const dialFrames = Effect.fnUntraced(function* (settings: Uint8Array = Buffer.alloc(0)) {
  const socket = yield* dialTls()
  const streams = new Map<number, Array<string>>()
  let pending = Buffer.alloc(0)
  socket
    .on("error", () => {})
    .on("data", (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk])
      for (let size = sizeOf(pending); pending.length >= size; size = sizeOf(pending)) {
        const stream = pending.readUInt32BE(5)
        streams.set(stream, [...(streams.get(stream) ?? []), ...nameOf(pending.subarray(0, size))])
        pending = pending.subarray(size)
      }
    })
  socket.write(Buffer.concat([preface.subarray(0, -9), frame(Type.SETTINGS, 0, 0, settings)]))
  return {
    socket,
    send: (...frames: ReadonlyArray<Uint8Array>) => Effect.sync(() => socket.write(Buffer.concat(frames))),
    told: (stream: number) => (streams.get(stream) ?? []).join(" ")
  }
})

const sizeOf = (bytes: Buffer): number => (bytes.length < 9 ? 9 : 9 + bytes.readUIntBE(0, 3))

const nameOf = (bytes: Buffer): ReadonlyArray<string> => {
  const end = (bytes[4]! & 1) === 1 ? ["END"] : []
  switch (bytes[3]) {
    case Type.DATA:
      return [`${bytes.length - 9}`, ...end]
    case Type.HEADERS:
      return ["HEADERS", ...end]
    case Type.RST_STREAM:
      return [`RST ${bytes.readUInt32BE(9)}`]
    case Type.PING:
      return end.length > 0 ? [] : ["PING"]
    case Type.GOAWAY:
      return [`GOAWAY ${bytes.readUInt32BE(13)}`]
    default:
      return []
  }
}
