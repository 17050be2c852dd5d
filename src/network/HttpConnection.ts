/**
 * The HTTP requests of one client connection, one after another.
 *
 * Node's parser alone decides where a message ends. Two parsers with different results are how request smuggling works.
 * This file decides when the parser gets bytes: the head of a request after the request before is answered, a body
 * after its request is admitted, and no head with too many fields.
 */
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { ClientGone, HeadTooLarge, MalformedRequest } from "../Errors.ts"
import * as Http from "../wire/Http.ts"
import { HttpLines } from "../wire/HttpLines.ts"
import type { Flow } from "./BandwidthScheduler.ts"
import * as BodyPieces from "./BodyPieces.ts"
import { ByteTally } from "./ByteTally.ts"
import type { Client } from "./Client.ts"
import { Metered } from "./Metered.ts"
import type { Traffic } from "./RelayPair.ts"

/** A request, and its response. */
export interface HttpExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Resets the client's connection. */
  readonly reset: () => void
  /** Counts the bytes of this request and its response. */
  readonly tally: ByteTally
  /** Begins to read the body, as fast as the flow allows. */
  readonly receive: (flow: Flow | undefined) => void
  /** Never succeeds; fails when the body of the request is malformed. */
  readonly broken: Effect.Effect<never, MalformedRequest | HeadTooLarge>
}

/** A request whose head was read. CONNECT has no exchange: the `Client` has the connection back for the tunnel. */
interface Incoming {
  readonly head: Http.Head
  readonly exchange: HttpExchange | undefined
}

export interface HttpConnection {
  /** Reads the next request, after the last response is sent. Counts the bytes in `traffic`. */
  readonly next: (traffic: Traffic) => Effect.Effect<Incoming, Failure>
  /**
   * Answers the last request. If a response has begun, resets the connection instead, so that the client cannot take
   * half a response for a whole one. With `staysOpen` the connection stays for another request, if the last request
   * allows it.
   */
  readonly answer: (answer: Http.Answer, staysOpen: boolean) => Effect.Effect<void>
  /** Whether another request can follow on the connection. */
  readonly hasNext: () => boolean
}

/** The most bytes of a head. */
export const headLimit = 64 * 1024

/** The most fields of a request. */
export const fieldLimit = 100

/** The most bytes of the body of a refused request that are read to keep the connection open. */
const refusedBodyLimit = 64 * 1024

type Failure = ClientGone | MalformedRequest | HeadTooLarge

/** The request that is being served. */
interface Current {
  readonly head: Http.Head
  readonly exchange: HttpExchange
  readonly body: BodyPieces.BodyPieces
  readonly broken: Deferred.Deferred<never, MalformedRequest | HeadTooLarge>
  /** Whether the body may be read. */
  isLetIn: boolean
}

/** Takes over the connection of a client before its first request. */
export const make = (client: Client): Effect.Effect<HttpConnection> =>
  Effect.map(Queue.unbounded<Incoming, Failure>(), (queue) => listen(client, queue))

const listen = (client: Client, queue: Queue.Queue<Incoming, Failure>): HttpConnection => {
  const { transport, early } = client.detach()
  const stop = (failure: Failure) => Queue.failCauseUnsafe(queue, Cause.fail(failure))
  const lines = new HttpLines(fieldLimit)
  let tally = new ByteTally({ sent: 0, received: 0 })
  /** The request to answer. */
  let last: Current | undefined
  /** The request whose body is read. */
  let read: Current | undefined
  let isAsked = false
  let isOver = false

  const server = createServer({ maxHeaderSize: headLimit, requireHostHeader: false, keepAliveTimeout: 0 })
  // Further fields of trailers are dropped. `HttpLines` refuses heads with more fields.
  server.maxHeadersCount = fieldLimit
  // A client that sends FIN behind its request still gets the response.
  Object.assign(server, { httpAllowHalfOpen: true })

  const portion = (bytes: Buffer): number => {
    if (read && !read.exchange.request.complete) return read.isLetIn ? read.body.next(bytes) : 0
    if (!isAsked) return 0
    const size = lines.cut(bytes)
    if (size !== undefined) return size
    stop(new HeadTooLarge())
    end()
    return 0
  }
  const wire = new Metered(
    transport,
    {
      portion,
      onRead: (bytes) => tally.add("fromClient", bytes),
      onWritten: (bytes) => tally.add("toClient", bytes)
    },
    early
  )

  /** Reads no further request. */
  const end = () => {
    isOver = true
    wire.discard()
  }

  const offer = (request: IncomingMessage, response: ServerResponse) => {
    request.on("error", () => {})
    response.on("error", () => {})
    // No request may come now.
    if (!isAsked || isOver) return wire.reset()
    isAsked = false
    lines.reset()
    const head = headOf(request)
    const broken = Deferred.makeUnsafe<never, MalformedRequest | HeadTooLarge>()
    const receive = (flow: Flow | undefined) => {
      current.isLetIn = true
      wire.pace(flow)
    }
    const exchange = {
      request,
      response,
      reset: () => wire.reset(),
      tally,
      receive,
      broken: Deferred.await(broken)
    }
    const current: Current = { head, exchange, body: BodyPieces.of(head.fields), broken, isLetIn: false }
    last = current
    read = current
    Queue.offerUnsafe(queue, { head, exchange })
  }
  server.on("request", offer).on("checkContinue", offer)
  // An unknown Expect is passed on: the target decides about it.
  server.on("checkExpectation", offer)
  server.on("connect", (request, _socket, unparsed) => {
    isAsked = false
    client.attach(Buffer.concat([unparsed, wire.release()]))
    Queue.offerUnsafe(queue, { head: headOf(request), exchange: undefined })
    stop(new ClientGone())
  })
  server.on("clientError", (error: NodeJS.ErrnoException) => {
    const failure = failureOf(error)
    if (read && !read.exchange.request.complete && failure) {
      end()
      Deferred.doneUnsafe(read.broken, Effect.fail(failure))
    }
    // FIN in the middle of a head is no error: the client is gone.
    stop(failure && error.code !== "HPE_INVALID_EOF_STATE" ? failure : new ClientGone())
  })

  // Node's server would destroy the connection, and the client could lose the response. Here the server only ends its
  // side; `Client.close` closes the connection.
  Object.assign(wire, { destroySoon: () => wire.end() })
  server.emit("connection", wire)
  wire.on("end", () => stop(new ClientGone())).on("close", () => stop(new ClientGone()))
  transport.whenClosed(() => client.closed())

  return {
    next: (traffic) =>
      Effect.gen(function* () {
        if (last) yield* closed(last.exchange.response)
        last = undefined
        tally = new ByteTally(traffic)
        isAsked = true
        wire.pace(undefined)
        const incoming = yield* Queue.take(queue).pipe(Effect.onError(() => Effect.sync(end)))
        isOver = incoming.exchange === undefined
        return incoming
      }),
    answer: ({ status, fields, body }, staysOpen) =>
      Effect.sync(() => {
        const length: Http.Fields = [["Content-Length", String(Buffer.byteLength(body))]]
        const close: Http.Fields = [["Connection", "close"]]
        const response = last?.exchange.response
        const reason = STATUS_CODES[status] ?? ""
        if (response?.headersSent) {
          end()
          wire.reset()
        } else if (last && response && !response.destroyed) {
          if (!staysOpen || !isSoonWhole(last)) end()
          // With a reason phrase: `response` may still have one of the target's that cannot be sent.
          response.writeHead(status, reason, [...fields, ...length, ...(isOver ? close : [])].flat())
          response.end(body)
          last.exchange.receive(undefined)
        } else if (transport.isWritable) {
          const message = Http.message(status, reason, [...fields, ...length, ...close], body)
          tally.add("toClient", message.length)
          transport.write(message)
        }
      }),
    hasNext: () =>
      !isOver && !transport.isClosed && !!last?.exchange.response.shouldKeepAlive && isSoonWhole(last)
  }
}

const headOf = ({ method = "", url = "", httpVersion, rawHeaders }: IncomingMessage): Http.Head => ({
  method,
  target: url,
  version: httpVersion,
  fields: pairs(rawHeaders)
})

/** Node's `rawHeaders`, a list of alternating names and values, in pairs. */
export const pairs = (raw: ReadonlyArray<string>): Http.Fields => {
  const fields: Array<Http.Fields[number]> = []
  for (let at = 0; at < raw.length; at += 2) fields.push([raw[at]!, raw[at + 1]!])
  return fields
}

/** The error of the parser; undefined for an error of the connection. */
const failureOf = ({ code = "", message }: NodeJS.ErrnoException) => {
  if (code === "HPE_HEADER_OVERFLOW") return new HeadTooLarge()
  return code.startsWith("HPE_") ? new MalformedRequest({ reason: message }) : undefined
}

/** Whether the rest of a request's body is known to be short, and the client does not wait for 100 before it. */
const isSoonWhole = ({ head: { fields }, exchange }: Current): boolean =>
  exchange.request.complete ||
  !Http.isFramed(fields) ||
  (Number(Http.values(fields, "content-length")[0]) <= refusedBodyLimit &&
    Http.values(fields, "expect").length === 0)

const closed = (response: ServerResponse): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (response.closed || response.destroyed) return resume(Effect.void)
    response.once("close", () => resume(Effect.void))
  })
