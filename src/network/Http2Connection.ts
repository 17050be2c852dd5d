/**
 * An HTTP/2 connection with a client (RFC 9113): what a client can make this server hold or do is bounded by Node and by
 * the settings here.
 */
import { performServerHandshake, type ServerHttp2Stream } from "node:http2"
import type { Duplex } from "node:stream"
import * as HttpHead from "../wire/HttpHead.ts"
import { Http2Stream } from "./Http2Stream.ts"
import type { Transport } from "./Transport.ts"

/** The most streams of a connection, with those that the client has reset and whose sessions have not ended yet. */
export const streamLimit = 100

/**
 * The most streams that a client may cancel before it can have seen a response, beyond those that it does not. For each, this
 * server begins a session (CVE-2023-44487); Node's own limit is 1,000 and more.
 */
const cancelLimit = streamLimit

/** The bytes that a client may send on a stream before they are read. */
const streamWindow = 256 * 1024

/**
 * The bytes that a client may send on all streams in the time of a round trip. Node takes them from the connection at once
 * and counts those that wait by stream, so this bounds no memory.
 */
const connectionWindow = 4 * 1024 * 1024

/** The most bytes of the fields of a response: those of HTTP/1, and what the encoding may add. */
const sentFields = 2 * HttpHead.sizeLimit

export interface Http2Connection {
  /** Calls `onStream` with each request, and `onClosed` when the connection has closed. To be called once. */
  readonly listen: (onStream: (stream: Http2Stream) => void, onClosed: () => void) => void
  /** Whether no new requests are taken. */
  readonly isClosing: () => boolean
  /** Asks the client whether it is there (RFC 9113 §6.7). */
  readonly ping: (answered: () => void) => void
  /** Takes no new requests, and closes when the streams have ended (RFC 9113 §6.8). */
  readonly close: () => void
  /** Closes at once. */
  readonly reset: () => void
}

/** Speaks HTTP/2 on a connection. `carrier` is the connection below TLS. */
export const make = (socket: Duplex, carrier: Transport): Http2Connection => {
  const session = performServerHandshake(socket, {
    // Room for Cookie in many pieces: what is too much becomes a response.
    maxHeaderListPairs: 2 * HttpHead.requestFields + 100,
    maxSessionInvalidFrames: 100,
    maxSendHeaderBlockLength: sentFields,
    settings: {
      enableConnectProtocol: true,
      enablePush: false,
      initialWindowSize: streamWindow,
      maxConcurrentStreams: streamLimit,
      maxHeaderListSize: HttpHead.sizeLimit
    }
  })
  session.setLocalWindowSize(connectionWindow)
  // The socket stays half open for tunnels of HTTP/1. Of a client that has finished sending nothing can come any more, on no
  // stream.
  socket.once("end", () => session.destroy())
  const early: Array<Http2Stream> = []
  /** The streams that began in this turn of the event loop. */
  const fresh = new Set<ServerHttp2Stream>()
  let cancels = cancelLimit
  /** Has the client make its requests elsewhere after too many cancelled ones. Its other streams go on. */
  function onClose(this: ServerHttp2Stream): void {
    const isUnseen = !this.headersSent || (fresh.has(this) && this.rstCode !== 0)
    if (!isUnseen) cancels = Math.min(cancels + 1, cancelLimit)
    else if (--cancels < 0) session.close()
  }
  let take = (stream: Http2Stream): void => void early.push(stream)
  session.on("error", ignored).on("stream", (stream, _, flags, lines) => {
    if (fresh.size === 0) setImmediate(() => fresh.clear())
    fresh.add(stream)
    stream.on("error", ignored).once("close", onClose)
    // With a reset in the same read, there is nothing to begin.
    if (!stream.closed) take(new Http2Stream(stream, flags, lines, carrier))
  })
  return {
    listen: (onStream, onClosed) => {
      take = onStream
      for (const stream of early.splice(0)) onStream(stream)
      if (session.destroyed) setImmediate(onClosed)
      else session.once("close", onClosed)
    },
    isClosing: () => session.closed,
    ping: (answered) => session.destroyed || session.ping((error) => error || answered()),
    close: () => session.destroyed || session.close(),
    reset: () => {
      session.destroy()
      // A session that was closed in order waits for the client.
      socket.destroy()
    }
  }
}

const ignored = (): void => {}
