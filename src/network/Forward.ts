/**
 * Asking a target in a client's place: the client's request out, the target's
 * response back, both as streams.
 */
import { type IncomingMessage, request as makeRequest } from "node:http"
import type { Duplex } from "node:stream"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { BadResponse, MalformedRequest, ResponseTimeout } from "../Errors.ts"
import * as Http from "../wire/Http.ts"
import * as HttpFields from "../wire/HttpFields.ts"
import { probe, reset } from "./Duplexes.ts"
import * as Paced from "./Paced.ts"
import type { Pace } from "./Pacer.ts"
import type { Ending, Traffic } from "./Relay.ts"
import { type Exchange, headLimit, pairs } from "./Requests.ts"

export interface Order {
  readonly exchange: Exchange
  /** A new connection to the target, for this request only. */
  readonly target: Duplex
  readonly method: string
  readonly path: string
  readonly fields: Http.Fields
  readonly pseudonym: string
  /** Of bodies. */
  readonly traffic: Traffic
  /** How fast bodies may go, where that is limited. */
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

const pass = (order: Order): Effect.Effect<Ending, BadResponse | MalformedRequest> =>
  Effect.callback<Ending, BadResponse | MalformedRequest>((resume) => {
    const { target, traffic, pseudonym, pace } = order
    const { request, response, duplex } = order.exchange
    const fail = (error: BadResponse | MalformedRequest) => resume(Effect.fail(error))
    const cutOff = (ending: Ending) => {
      reset(target)
      reset(duplex)
      resume(Effect.succeed(ending))
    }

    // Heard before Node's parser hears it, which takes a reset for the end of a
    // response without a length.
    target.on("error", () => {
      if (isWhole && !isWhole()) cutOff("target reset")
    })
    target.on("end", () => probe(target))
    const outgoing = attempt(() =>
      makeRequest({
        createConnection: () => target,
        method: order.method,
        path: order.path,
        headers: order.fields.flat() as never,
        maxHeaderSize: headLimit
      })
    )
    if (outgoing === undefined) return fail(new MalformedRequest({ reason: "not to be passed on" }))
    outgoing.maxHeadersCount = 0

    let isWhole: (() => boolean) | undefined
    const respond = (incoming: IncomingMessage) => {
      const isFramed = Http.isFramed(pairs(incoming.rawHeaders))
      isWhole = () => incoming.complete && (isFramed || response.writableEnded)
      const { statusCode: status = 0, statusMessage = "", rawHeaders, httpVersion } = incoming
      const fields = HttpFields.response(pairs(rawHeaders), status, httpVersion, pseudonym)
      incoming.on("error", () => {})
      incoming.on("close", () => {
        if (!incoming.complete) cutOff("target reset")
      })
      const coding = incoming.headers["transfer-encoding"]
      if (coding !== undefined && coding.toLowerCase() !== "chunked") {
        return fail(new BadResponse({ reason: "a transfer coding but chunked" }))
      }
      if (!attempt(() => response.writeHead(status, statusMessage, fields.flat()))) {
        return fail(new BadResponse({ reason: "a head that cannot be passed on" }))
      }
      order.onStatus(status)
      response.flushHeaders()
      const body = pace?.download ? incoming.pipe(Paced.make(pace.download)) : incoming
      body.on("data", (chunk: Buffer) => (traffic.received += chunk.length))
      body.pipe(response, { end: false })
      body.on("end", () => {
        if (!incoming.complete) return
        attempt(() => response.addTrailers(HttpFields.trailers(pairs(incoming.rawTrailers)) as never))
        if (isFramed) response.end()
        // Where its end is the connection's, what the probe finds comes first.
        else setImmediate(() => (target.errored ? cutOff("target reset") : response.end()))
      })
    }

    outgoing.on("continue", () => response.writeContinue())
    outgoing.on("response", respond)
    outgoing.on("upgrade", () => fail(new BadResponse({ reason: "another protocol, unasked" })))
    outgoing.on("error", ({ message }) => {
      if (!response.headersSent) fail(new BadResponse({ reason: message }))
    })

    response.on("close", () => {
      if (response.writableFinished) resume(Effect.succeed("finished"))
      else cutOff("client reset")
    })
    const body = pace?.upload ? request.pipe(Paced.make(pace.upload)) : request
    body.on("data", (chunk: Buffer) => (traffic.sent += chunk.length))
    body.pipe(outgoing, { end: false })
    body.on("end", () => {
      attempt(() => outgoing.addTrailers(HttpFields.trailers(pairs(request.rawTrailers)) as never))
      outgoing.end()
    })
    outgoing.flushHeaders()

    return Effect.sync(() => reset(target))
  }).pipe(
    // What the target did not wait for, nobody waits for.
    Effect.ensuring(Effect.sync(() => order.exchange.request.unpipe().resume()))
  )

/** When nothing has moved for as long as may be. */
const silence = Effect.fnUntraced(function* ({
  traffic,
  pace,
  idleTimeout,
  exchange
}: Order): Effect.fn.Return<Ending, ResponseTimeout> {
  let before = -1
  const isHeld = () => pace?.upload?.isWaiting() || pace?.download?.isWaiting()
  while (before !== traffic.sent + traffic.received || isHeld()) {
    before = traffic.sent + traffic.received
    yield* Duration.isFinite(idleTimeout) ? Effect.sleep(idleTimeout) : Effect.never
  }
  if (!exchange.response.headersSent) return yield* new ResponseTimeout()
  reset(exchange.duplex)
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
