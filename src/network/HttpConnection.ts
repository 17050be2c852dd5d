/**
 * The HTTP requests of one client connection, one after another.
 *
 * Where a message ends is Node's parser's business and nobody else's: two
 * opinions on that, one here and one there, are what request smuggling lives on.
 * What is decided here is when the parser gets the bytes: no head before the
 * request ahead of it is answered, no body before its request is let in, and
 * nothing of a head that has too many fields.
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

/** A request, and the way to answer it. */
export interface HttpExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Resets the client's connection. */
  readonly reset: () => void
  /** Bytes of this request and its response. */
  readonly tally: ByteTally
  /** Lets the request's body come in, as fast as the lane permits. */
  readonly receive: (lane: Flow | undefined) => void
  /** Fails when the rest of the request turns out to be malformed. */
  readonly broken: Effect.Effect<never, MalformedRequest | HeadTooLarge>
}

/** A request whose head is there; CONNECT has no exchange, and its connection is the client's again. */
interface Incoming {
  readonly head: Http.Head
  readonly exchange: HttpExchange | undefined
}

export interface HttpConnection {
  /** The next request, once the one before it is answered. Counts its bytes as this traffic. */
  readonly next: (traffic: Traffic) => Effect.Effect<Incoming, Failure>
  /**
   * Answers the last request, unless that has begun already: then the connection
   * is reset, so that half an answer cannot pass for a whole one. The connection
   * stays for another request if that is wanted and the last one permits it.
   */
  readonly answer: (answer: Http.Answer, staysOpen: boolean) => Effect.Effect<void>
  /** Whether there can be another request behind the last one. */
  readonly hasNext: () => boolean
}

/** Bytes of a head, and so of a request-target. */
export const headLimit = 64 * 1024

/** Fields of a request. */
export const fieldLimit = 100

/** Body of a refused request that is read for the sake of the connection. */
const refusedBodyLimit = 64 * 1024

type Failure = ClientGone | MalformedRequest | HeadTooLarge

/** The request that is being served. */
interface Current {
  readonly head: Http.Head
  readonly exchange: HttpExchange
  readonly body: BodyPieces.BodyPieces
  readonly broken: Deferred.Deferred<never, MalformedRequest | HeadTooLarge>
  /** Its body may come. */
  isLetIn: boolean
}

/** Takes a connection over from its first request on; its end ends what is made here. */
export const make = (client: Client): Effect.Effect<HttpConnection> =>
  Effect.map(Queue.unbounded<Incoming, Failure>(), (queue) => listen(client, queue))

const listen = (client: Client, queue: Queue.Queue<Incoming, Failure>): HttpConnection => {
  const { transport, early } = client.detach()
  const stop = (failure: Failure) => Queue.failCauseUnsafe(queue, Cause.fail(failure))
  const lines = new HttpLines(fieldLimit)
  let tally = new ByteTally({ sent: 0, received: 0 })
  /** The one to be answered. */
  let last: Current | undefined
  /** The one whose body is read, if it has one. */
  let read: Current | undefined
  let isAsked = false
  let isOver = false

  const server = createServer({ maxHeaderSize: headLimit, requireHostHeader: false, keepAliveTimeout: 0 })
  // Heads never have so many, and what trailers have beyond it is dropped.
  server.maxHeadersCount = fieldLimit
  // A client that has sent its request and its end still wants the answer.
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

  /** There is no further request, and nothing is read for one. */
  const end = () => {
    isOver = true
    wire.discard()
  }

  const offer = (request: IncomingMessage, response: ServerResponse) => {
    request.on("error", () => {})
    response.on("error", () => {})
    // Not one that was asked for.
    if (!isAsked || isOver) return wire.reset()
    isAsked = false
    lines.reset()
    const head = headOf(request)
    const broken = Deferred.makeUnsafe<never, MalformedRequest | HeadTooLarge>()
    const receive = (lane: Flow | undefined) => {
      current.isLetIn = true
      wire.pace(lane)
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
  // What else a client expects is for its target to know.
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
    // Its end in the middle of a head is the client's good right.
    stop(failure && error.code !== "HPE_INVALID_EOF_STATE" ? failure : new ClientGone())
  })

  // The server closes with a destroy, which can cost the client the answer; with
  // only an end, the client's scope closes it with care.
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
          // With the reason, as one that could not be passed on may stand there.
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

/** Names and values by turns, as Node has them, in pairs. */
export const pairs = (raw: ReadonlyArray<string>): Http.Fields => {
  const fields: Array<Http.Fields[number]> = []
  for (let at = 0; at < raw.length; at += 2) fields.push([raw[at]!, raw[at + 1]!])
  return fields
}

/** What the parser complains of; nothing if it is the connection that failed. */
const failureOf = ({ code = "", message }: NodeJS.ErrnoException) => {
  if (code === "HPE_HEADER_OVERFLOW") return new HeadTooLarge()
  return code.startsWith("HPE_") ? new MalformedRequest({ reason: message }) : undefined
}

/** Whether what is left of a request's body is known to be little, and on its way. */
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
