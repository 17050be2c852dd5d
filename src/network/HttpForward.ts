/**
 * Forwards an HTTP request to the target, and the response to the client, as streams.
 */
import { type IncomingMessage, request as makeRequest, STATUS_CODES } from "node:http"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { BadResponse, MalformedRequest, ResponseTimeout } from "../Errors.ts"
import * as Http from "../wire/Http.ts"
import * as HttpFields from "../wire/HttpFields.ts"
import { HttpLines } from "../wire/HttpLines.ts"
import type { Pace } from "./BandwidthScheduler.ts"
import { type HttpExchange, headLimit, pairs } from "./HttpConnection.ts"
import { Metered } from "./Metered.ts"
import type { Ending } from "./RelayPair.ts"
import type { Transport } from "./Transport.ts"

interface Options {
  readonly exchange: HttpExchange
  /** A new connection to the target, for this request only. */
  readonly target: Transport
  readonly method: string
  readonly path: string
  readonly fields: Http.Fields
  readonly pseudonym: string
  /** The flows of the bandwidth limits. */
  readonly pace?: Pace | undefined
  /** The time without any bytes after which the exchange is ended. */
  readonly idleTimeout: Duration.Duration
  readonly onStatus: (status: number) => void
}

/**
 * Forwards a request and its response. A message that breaks off on one side is broken off by RST on the other side,
 * too.
 */
export const run = (
  options: Options
): Effect.Effect<Ending, BadResponse | MalformedRequest | ResponseTimeout> =>
  Effect.raceFirst(pass(options), silence(options))

/** The most fields of a response, and of each interim response. */
const fieldLimit = 250

/** The most interim responses (1xx) of a request. */
const interimLimit = 16

const pass = (options: Options): Effect.Effect<Ending, BadResponse | MalformedRequest> =>
  Effect.callback<Ending, BadResponse | MalformedRequest>((resume) => {
    const { target, pseudonym, pace } = options
    const { request, response, tally, receive } = options.exchange
    const fail = (error: BadResponse | MalformedRequest) => resume(Effect.fail(error))
    const bad = (reason: string) => fail(new BadResponse({ reason }))
    const cutOff = (ending: Ending) => {
      target.reset()
      options.exchange.reset()
      resume(Effect.succeed(ending))
    }
    let isWhole: (() => boolean) | undefined

    // Registered before Node's parser gets the connection: the parser takes a reset for the end of a response without a
    // length.
    target.whenClosed(() => {
      if (target.failure && isWhole && !isWhole()) cutOff("target reset")
    })
    const lines = new HttpLines(fieldLimit)
    const wire = new Metered(target, {
      portion: (bytes) => {
        const size = isWhole ? bytes.length : lines.cut(bytes)
        if (size === undefined) bad("too many fields")
        return size ?? 0
      },
      onRead: (bytes) => tally.add("fromTarget", bytes),
      onWritten: (bytes) => tally.add("toTarget", bytes)
    })
    wire.on("error", () => {})
    const outgoing = attempt(() =>
      makeRequest({
        createConnection: () => wire,
        method: options.method,
        path: options.path,
        headers: options.fields.flat() as never,
        maxHeaderSize: headLimit
      })
    )
    if (outgoing === undefined)
      return fail(new MalformedRequest({ reason: "the request cannot be passed on" }))
    outgoing.maxHeadersCount = fieldLimit

    const respond = (incoming: IncomingMessage) => {
      const received = pairs(incoming.rawHeaders)
      const isFramed = Http.isFramed(received)
      isWhole = () => incoming.complete && (isFramed || response.writableEnded)
      const { statusCode: status = 0, statusMessage = "", httpVersion } = incoming
      const fields = HttpFields.response(received, status, httpVersion, pseudonym)
      incoming.on("error", () => {})
      incoming.on("close", () => {
        if (!incoming.complete) cutOff("target reset")
      })
      const codings = Http.values(received, "transfer-encoding")
      if (codings.some((coding) => coding.toLowerCase() !== "chunked") || codings.length > 1) {
        return bad("a transfer coding other than chunked")
      }
      // Clients ignore the reason phrase (RFC 9112 §4), so an invalid one is replaced.
      const reason = Http.isReason(statusMessage) ? statusMessage : (STATUS_CODES[status] ?? "")
      if (!attempt(() => response.writeHead(status, reason, fields.flat()))) {
        return bad("a head that cannot be passed on")
      }
      options.onStatus(status)
      response.flushHeaders()
      incoming.pipe(response, { end: false })
      incoming.on("end", () => {
        if (!incoming.complete) return
        attempt(() => response.addTrailers(HttpFields.trailers(pairs(incoming.rawTrailers)) as never))
        if (isFramed) response.end()
        // Without a length the response ends with the connection. `setImmediate` lets a reset be seen first.
        else setImmediate(() => (target.failure ? cutOff("target reset") : response.end()))
      })
    }

    let interim = 0
    let isContinued = false
    outgoing.on("information", ({ statusCode }) => {
      if (++interim > interimLimit) return bad("too many interim responses")
      // One 100 response is passed on, and none to HTTP/1.0 (RFC 9110 §15.2).
      if (statusCode !== 100 || isContinued || request.httpVersion === "1.0") return
      isContinued = true
      response.writeContinue()
    })
    outgoing.on("response", respond)
    outgoing.on("upgrade", () => bad("an upgrade that the request did not ask for"))
    outgoing.on("error", ({ message }) => {
      if (!response.headersSent) bad(message)
    })

    response.on("close", () => {
      if (response.writableFinished) resume(Effect.succeed("finished"))
      else cutOff("client reset")
    })
    request.pipe(outgoing, { end: false })
    request.on("end", () => {
      attempt(() => outgoing.addTrailers(HttpFields.trailers(pairs(request.rawTrailers)) as never))
      outgoing.end()
    })
    outgoing.flushHeaders()
    wire.pace(pace?.download)
    receive(pace?.upload)

    return Effect.sync(() => target.reset())
  }).pipe(
    // Reads and discards the part of the body that the target did not take.
    Effect.ensuring(Effect.sync(() => options.exchange.request.unpipe().resume()))
  )

/** The number of checks in an idle timeout, which is so kept to a tenth, as in `Relay`. */
const looks = 10

/** Ends the exchange when no byte has moved for the idle timeout. Waiting for bandwidth is not idle. */
const silence = Effect.fnUntraced(function* ({
  pace,
  idleTimeout,
  exchange
}: Options): Effect.fn.Return<Ending, ResponseTimeout> {
  if (!Duration.isFinite(idleTimeout)) return yield* Effect.never
  const isHeld = () => pace?.upload?.isWaiting() || pace?.download?.isWaiting()
  let before = -1
  let quiet = 0
  while (quiet < looks) {
    yield* Effect.sleep(Duration.divideUnsafe(idleTimeout, looks))
    const { moved } = exchange.tally
    quiet = moved === before && !isHeld() ? quiet + 1 : 0
    before = moved
  }
  if (!exchange.response.headersSent) return yield* new ResponseTimeout()
  exchange.reset()
  return "idle"
})

/** Undefined if Node throws: its writer refuses some messages that its parser takes. */
const attempt = <A>(write: () => A): A | undefined => {
  try {
    return write()
  } catch {
    return undefined
  }
}
