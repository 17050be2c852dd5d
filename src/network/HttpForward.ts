/**
 * Asking a target in a client's place: the client's request out, the target's
 * response back, both as streams.
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

interface Order {
  readonly exchange: HttpExchange
  /** A new connection to the target, for this request only. */
  readonly target: Transport
  readonly method: string
  readonly path: string
  readonly fields: Http.Fields
  readonly pseudonym: string
  /** How fast bytes may go, where that is limited. */
  readonly pace?: Pace | undefined
  /** Time in which nothing need move. */
  readonly idleTimeout: Duration.Duration
  readonly onStatus: (status: number) => void
}

/**
 * Passes a request on, and the response back. A message that breaks off, on
 * either side, is broken off on the other too.
 */
export const run = (order: Order): Effect.Effect<Ending, BadResponse | MalformedRequest | ResponseTimeout> =>
  Effect.raceFirst(pass(order), silence(order))

/** Fields of a response, and of the interim ones before it. */
const fieldLimit = 250

/** Interim responses before the one that counts; more are no use to anybody. */
const interimLimit = 16

const pass = (order: Order): Effect.Effect<Ending, BadResponse | MalformedRequest> =>
  Effect.callback<Ending, BadResponse | MalformedRequest>((resume) => {
    const { target, pseudonym, pace } = order
    const { request, response, tally, receive } = order.exchange
    const fail = (error: BadResponse | MalformedRequest) => resume(Effect.fail(error))
    const bad = (reason: string) => fail(new BadResponse({ reason }))
    const cutOff = (ending: Ending) => {
      target.reset()
      order.exchange.reset()
      resume(Effect.succeed(ending))
    }
    let isWhole: (() => boolean) | undefined

    // Heard before Node's parser hears it, which takes a reset for the end of a
    // response without a length.
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
        method: order.method,
        path: order.path,
        headers: order.fields.flat() as never,
        maxHeaderSize: headLimit
      })
    )
    if (outgoing === undefined) return fail(new MalformedRequest({ reason: "not to be passed on" }))
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
        return bad("a transfer coding but chunked")
      }
      // No client goes by the reason, and no answer is lost for it (RFC 9112 §4).
      const reason = Http.isReason(statusMessage) ? statusMessage : (STATUS_CODES[status] ?? "")
      if (!attempt(() => response.writeHead(status, reason, fields.flat()))) {
        return bad("a head that cannot be passed on")
      }
      order.onStatus(status)
      response.flushHeaders()
      incoming.pipe(response, { end: false })
      incoming.on("end", () => {
        if (!incoming.complete) return
        attempt(() => response.addTrailers(HttpFields.trailers(pairs(incoming.rawTrailers)) as never))
        if (isFramed) response.end()
        // Where its end is the connection's, what the probe finds comes first.
        else setImmediate(() => (target.failure ? cutOff("target reset") : response.end()))
      })
    }

    let interim = 0
    let isContinued = false
    outgoing.on("information", ({ statusCode }) => {
      if (++interim > interimLimit) return bad("too many interim responses")
      // One is passed on, and none to HTTP/1.0 (RFC 9110 §15.2).
      if (statusCode !== 100 || isContinued || request.httpVersion === "1.0") return
      isContinued = true
      response.writeContinue()
    })
    outgoing.on("response", respond)
    outgoing.on("upgrade", () => bad("another protocol, unasked"))
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
    // What the target did not wait for, nobody waits for.
    Effect.ensuring(Effect.sync(() => order.exchange.request.unpipe().resume()))
  )

/** Looks in the length of the idle timeout, which is kept to a tenth, as in a tunnel. */
const looks = 10

/** When nothing has moved for as long as may be. */
const silence = Effect.fnUntraced(function* ({
  pace,
  idleTimeout,
  exchange
}: Order): Effect.fn.Return<Ending, ResponseTimeout> {
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

/** What Node throws at messages that its parser lets in and its writer does not let out. */
const attempt = <A>(write: () => A): A | undefined => {
  try {
    return write()
  } catch {
    return undefined
  }
}
