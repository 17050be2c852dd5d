/**
 * The HTTP requests of one client connection, one after another.
 *
 * Where a message ends is Node's parser's business and nobody else's: two
 * opinions on that, one here and one there, are what request smuggling lives on.
 */
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { ClientGone, HeadTooLarge, MalformedRequest } from "../Errors.ts"
import * as Http from "../wire/Http.ts"
import type { Client } from "./Client.ts"
import { reset } from "./Duplexes.ts"

/** A request, and the way to answer it. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly duplex: Duplex
  /** Fails when the rest of the request turns out to be malformed. */
  readonly broken: Effect.Effect<never, MalformedRequest | HeadTooLarge>
}

/** A request whose head is there; CONNECT has no exchange, and its connection is the client's again. */
export interface Incoming {
  readonly head: Http.Head
  readonly exchange: Exchange | undefined
}

export interface Requests {
  /** The next request, once the one before it is answered. */
  readonly next: Effect.Effect<Incoming, ClientGone | MalformedRequest | HeadTooLarge>
  /**
   * Answers the last request, unless that has begun already: then the connection
   * is reset, so that half an answer cannot pass for a whole one. The connection
   * stays for another request if that is wanted and the last one permits it.
   */
  readonly answer: (answer: Http.Answer, staysOpen: boolean) => Effect.Effect<void>
  /** Whether there can be another request behind the last one. */
  readonly goesOn: () => boolean
}

/** Bytes of a head, and so of a request-target. */
export const headLimit = 32 * 1024

/** Requests a client may send ahead of their answers; none that pipelines sends as many. */
const aheadLimit = 100

/** Body of a refused request that is read for the sake of the connection. */
const refusedBodyLimit = 64 * 1024

type Failure = ClientGone | MalformedRequest | HeadTooLarge

/** Takes a connection over from its first request on. */
export const make = (client: Client): Requests => {
  const { duplex, early } = client.detach()
  const queue = Effect.runSync(Queue.unbounded<Incoming, Failure>())
  const stop = (failure: Failure) => Queue.failCauseUnsafe(queue, Cause.fail(failure))
  const whenBroken = new WeakMap<IncomingMessage, Deferred.Deferred<never, MalformedRequest | HeadTooLarge>>()
  /** The one being read. */
  let read: IncomingMessage | undefined
  let last: Exchange | undefined
  let isOver = false

  const server = createServer({ maxHeaderSize: headLimit, requireHostHeader: false, keepAliveTimeout: 0 })
  // Else fields beyond the count are dropped without a word; their bytes are counted.
  server.maxHeadersCount = 0
  // A client that has sent its request and its end still wants the answer.
  Object.assign(server, { httpAllowHalfOpen: true })

  const offer = (request: IncomingMessage, response: ServerResponse) => {
    request.on("error", () => {})
    response.on("error", () => {})
    read = request
    const broken = Deferred.makeUnsafe<never, MalformedRequest | HeadTooLarge>()
    whenBroken.set(request, broken)
    const exchange = { request, response, duplex, broken: Deferred.await(broken) }
    const isTaken = Queue.offerUnsafe(queue, { head: headOf(request), exchange })
    if (!isTaken || isOver || Queue.sizeUnsafe(queue) > aheadLimit) reset(duplex)
  }
  server.on("request", offer)
  server.on("checkContinue", offer)
  server.on("connect", (request, _socket, head) => {
    duplex.pause()
    client.attach(head)
    Queue.offerUnsafe(queue, { head: headOf(request), exchange: undefined })
    stop(new ClientGone())
  })
  server.on("clientError", (error: NodeJS.ErrnoException) => {
    const failure = failureOf(error)
    const broken = read && !read.complete && whenBroken.get(read)
    if (broken && failure) {
      isOver = true
      Deferred.doneUnsafe(broken, Effect.fail(failure))
    }
    // Its end in the middle of a head is the client's good right.
    stop(failure && error.code !== "HPE_INVALID_EOF_STATE" ? failure : new ClientGone())
  })

  // The server closes with a destroy, which can cost the client the answer; with
  // only an end, the client's scope closes it with care.
  Object.assign(duplex, { destroySoon: () => duplex.end() })
  if (early.length > 0) duplex.unshift(early)
  server.emit("connection", duplex)
  duplex.on("end", () => stop(new ClientGone())).on("close", () => stop(new ClientGone()))
  duplex.resume()

  return {
    next: Effect.gen(function* () {
      if (last) yield* closed(last.response)
      last = undefined
      const incoming = yield* Queue.take(queue).pipe(Effect.onError(() => Effect.sync(() => (isOver = true))))
      last = incoming.exchange
      isOver = last === undefined
      return incoming
    }),
    answer: ({ status, fields, body }, staysOpen) =>
      Effect.sync(() => {
        const length: Http.Fields = [["Content-Length", String(Buffer.byteLength(body))]]
        const close: Http.Fields = [["Connection", "close"]]
        if (last?.response.headersSent) {
          isOver = true
          reset(duplex)
        } else if (last && !last.response.destroyed) {
          isOver ||= !staysOpen || !isSoonWhole(last.request)
          last.response.writeHead(status, [...fields, ...length, ...(isOver ? close : [])].flat())
          last.response.end(body)
        } else if (duplex.writable) {
          duplex.write(
            Http.message(status, STATUS_CODES[status] ?? "", [...fields, ...length, ...close], body)
          )
        }
      }),
    goesOn: () =>
      !isOver && !duplex.destroyed && !!last?.response.shouldKeepAlive && isSoonWhole(last.request)
  }
}

const headOf = ({ method = "", url = "", httpVersion, rawHeaders }: IncomingMessage): Http.Head => ({
  method,
  target: url,
  version: httpVersion,
  fields: pairs(rawHeaders)
})

/** Names and values by turns, as Node has them, in pairs. */
export const pairs = (raw: ReadonlyArray<string>): Http.Fields =>
  raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1]!] as const] : []))

/** What the parser complains of; nothing if it is the connection that failed. */
const failureOf = ({ code = "", message }: NodeJS.ErrnoException) => {
  if (code === "HPE_HEADER_OVERFLOW") return new HeadTooLarge()
  return code.startsWith("HPE_") ? new MalformedRequest({ reason: message }) : undefined
}

/** Whether what is left of a request's body is known to be little, and on its way. */
const isSoonWhole = ({ complete, headers, rawHeaders }: IncomingMessage): boolean =>
  complete ||
  !Http.isFramed(pairs(rawHeaders)) ||
  (Number(headers["content-length"]) <= refusedBodyLimit && headers.expect === undefined)

const closed = (response: ServerResponse): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (response.closed || response.destroyed) return resume(Effect.void)
    response.once("close", () => resume(Effect.void))
  })
