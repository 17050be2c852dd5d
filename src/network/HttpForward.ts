/**
 * Forwards one HTTP request to an origin, and the response to the client, as streams.
 *
 * An origin may answer before it has read the request: the response passes at once, and the request goes on for as long
 * as the origin reads it.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Deadline from "../base/Deadline.ts"
import { BadResponse, MalformedRequest, ResponseTimeout, UpstreamLoginFailed } from "../Errors.ts"
import type * as Http from "../wire/Http.ts"
import * as HttpBody from "../wire/HttpBody.ts"
import * as HttpFields from "../wire/HttpFields.ts"
import * as HttpFraming from "../wire/HttpFraming.ts"
import type * as HttpHead from "../wire/HttpHead.ts"
import type { Pace } from "./BandwidthScheduler.ts"
import type { HttpExchange } from "./HttpExchange.ts"
import type { HttpOrigin } from "./HttpOrigin.ts"
import { HttpPump } from "./HttpPump.ts"
import { HttpResponseHeads, type Reading } from "./HttpResponseHeads.ts"
import { type Quietable, whenQuiet } from "./QuietTime.ts"
import type { Ending } from "./RelayPair.ts"

export interface Options {
  readonly exchange: HttpExchange
  readonly origin: HttpOrigin
  /** Path and query. */
  readonly path: string
  /** The fields of the request to the origin. */
  readonly fields: Http.Fields
  readonly pseudonym: string
  /** The flows of the bandwidth limits. */
  readonly pace?: Pace | undefined
  /** The time without any bytes after which the exchange is ended. */
  readonly idleTimeout: Duration.Duration
  /** Whether the request asks for an upgrade to WebSocket. */
  readonly isUpgrade: boolean
  readonly onStatus: (status: number) => void
}

/**
 * The end of an exchange. `Over`: `isKept` tells whether the origin's connection can take another request. `Unheard`:
 * the origin had closed the connection before the request, as far as is known. `Switched`: both connections belong to
 * the caller, paused; `early` came from the client behind its request.
 */
export type Outcome =
  | { readonly _tag: "Over"; readonly ending: Ending; readonly isKept: boolean }
  | { readonly _tag: "Unheard"; readonly reason: string }
  | { readonly _tag: "Switched"; readonly early: Uint8Array }

type Failure = BadResponse | MalformedRequest | ResponseTimeout | UpstreamLoginFailed

/**
 * Forwards a request and its response. A message that breaks off on one side is broken off by RST on the other side,
 * too. After a failure no byte of a response was written.
 */
export const run = (options: Options): Effect.Effect<Outcome, Failure> =>
  Effect.withFiber((fiber) =>
    Effect.callback<Outcome, Failure>((resume) => {
      const forwarding = new Forwarding(options, resume)
      const cancel = whenQuiet(options.idleTimeout, forwarding, (time, then) =>
        Deadline.after(fiber, time, then)
      )
      forwarding.onEnd = cancel
      forwarding.start()
      return Effect.sync(() => {
        cancel()
        forwarding.abandon()
      })
    })
  )

class Forwarding implements Reading, Quietable {
  /** Called at the end. */
  onEnd: () => void = ignored
  private readonly options: Options
  private readonly resume: (result: Effect.Effect<Outcome, Failure>) => void
  private readonly upload: HttpPump
  private readonly heads: HttpResponseHeads
  /** Whether the whole request was sent. */
  private isSent = false
  /** Whether the origin takes no more of the request. */
  private isNotTaken = false
  /** Whether the whole response was passed on. */
  private isAnswered = false
  /** Whether the origin keeps its connection open behind the response. */
  private isPersistent = false
  private isOver = false

  constructor(options: Options, resume: (result: Effect.Effect<Outcome, Failure>) => void) {
    const { exchange, origin } = options
    this.options = options
    this.resume = resume
    this.heads = new HttpResponseHeads(origin.input, this)
    this.upload = new HttpPump(exchange.channel.input, exchange.body, origin.output, {
      whole: () => {
        this.isSent = true
        this.settle()
      },
      malformed: (reason) => {
        if (exchange.hasBegun) this.cutOff("client reset")
        else this.failed(new MalformedRequest({ reason }))
      },
      // The client has finished sending in the middle of the body. The origin decides what that means.
      ended: () => {
        exchange.isLast = true
        origin.output.flush()
        origin.transport.end()
        this.settle()
      }
    })
  }

  start(): void {
    const { exchange, origin, path, fields, pace } = this.options
    origin.tally = exchange.tally
    origin.input.onClosed = () => this.ended()
    origin.onWriteFailed = () => this.notTaken()
    exchange.onGone = () => this.cutOff(this.isAnswered ? "finished" : "client reset")
    // First, as a body without a limit is left to the transport.
    exchange.channel.input.pace(pace?.upload)
    origin.input.pace(pace?.download)
    origin.output.head(`${exchange.head.method} ${path} HTTP/1.1`, fields, exchange.framing)
    this.upload.start()
    origin.input.want(this.heads)
    // A connection that broke before now, such as while the request waited for its bandwidth, tells nobody again.
    if (origin.transport.isClosed) this.ended()
  }

  get moved(): number {
    return this.options.exchange.tally.moved
  }

  get isHeld(): boolean {
    const { pace } = this.options
    return !!pace?.upload?.isWaiting() || !!pace?.download?.isWaiting()
  }

  quiet(): void {
    if (this.options.exchange.hasBegun) this.cutOff("idle")
    else this.failed(new ResponseTimeout())
  }

  /** Gives up both connections, as the session was interrupted. */
  abandon(): void {
    this.finish()
    this.options.origin.close(true)
  }

  inform(response: HttpHead.ResponseHead): void {
    const { exchange, pseudonym } = this.options
    exchange.inform(response, HttpFields.interim(response, pseudonym))
  }

  respond(response: HttpHead.ResponseHead): void {
    const { exchange, origin, pseudonym, onStatus } = this.options
    if (origin.upstream && response.status === 407) {
      const { url } = origin.upstream
      // It asks this server, and not the client.
      this.failed(
        new UpstreamLoginFailed({ upstream: url, reason: "it wants other credentials (status 407)" })
      )
      return
    }
    const framing = HttpFraming.ofResponse(response, exchange.head.method)
    if (Result.isFailure(framing)) {
      this.failed(framing.failure)
      return
    }
    const reason = exchange.objection(response, framing.success)
    if (reason !== undefined) {
      this.failed(new BadResponse({ reason, status: response.status }))
      return
    }
    this.isPersistent = HttpFields.isPersistent(response) && framing.success._tag !== "Close"
    // A client that waits for 100 sends no body after this response, or sends it unasked: nobody could tell which.
    const isUnasked = exchange.expectsContinue && !this.heads.isContinued && !this.upload.hasBegun
    if (isUnasked) this.notTaken()
    if (!this.isSent && (isUnasked || !origin.isOpen)) exchange.isLast = true
    origin.input.want()
    exchange.respond(response, HttpFields.response(response, pseudonym), framing.success)
    onStatus(response.status)
    const cutOff = () => this.cutOff("target reset")
    const answered = () => {
      this.isAnswered = true
      if (!this.isSent) this.awaitEnd()
      this.settle()
    }
    const isEndless = framing.success._tag === "Close"
    new HttpPump(origin.input, HttpBody.make(framing.success), exchange.channel.output, {
      whole: answered,
      malformed: cutOff,
      // A reset shows in the next turn.
      ended: () =>
        isEndless
          ? setImmediate(() => {
              if (this.isOver || origin.isCutOff) cutOff()
              else {
                exchange.channel.output.end([])
                answered()
              }
            })
          : cutOff()
    }).start()
  }

  /** The response is whole, and the request is not: hears when the origin ends the connection. */
  private awaitEnd(): void {
    const { input } = this.options.origin
    input.want({
      take: (bytes) => {
        this.isPersistent = false
        input.use(bytes.length)
      },
      ended: () => this.settle()
    })
  }

  switched(response: HttpHead.ResponseHead): void {
    const { exchange, origin, isUpgrade, onStatus } = this.options
    if (!isUpgrade || !HttpFields.isUpgrade(response.fields)) {
      this.failed(bad("an upgrade that the request did not ask for"))
      return
    }
    exchange.switchProtocols(response, HttpFields.upgraded(response))
    onStatus(101)
    const late = origin.input.release()
    const early = exchange.channel.input.release()
    exchange.channel.output.flush()
    exchange.tally.add("fromTarget", late.length)
    if (late.length > 0) exchange.channel.transport.write(late)
    this.end({ _tag: "Switched", early })
  }

  /** The origin has sent FIN, or its connection has closed. */
  ended(): void {
    const { exchange, origin } = this.options
    if (this.isAnswered) this.settle()
    else if (exchange.hasBegun) {
      // What ends with the connection was told by the end.
      if (!origin.transport.hasEnded || origin.isCutOff) this.cutOff("target reset")
    } else {
      const reason = origin.failure ?? "the target closed its connection before its response"
      if (exchange.tally.fromTarget === 0 && !origin.input.hasBytes) this.end({ _tag: "Unheard", reason })
      else this.failed(bad(reason))
    }
  }

  /** The origin takes no more bytes. What it has sent before may be its answer. */
  private notTaken(): void {
    this.isNotTaken = true
    this.upload.stop()
    this.settle()
  }

  /** Ends the exchange if all is passed on, and the origin has all it wants of the request. */
  private settle(): void {
    const { exchange, origin } = this.options
    if (this.isOver || !this.isAnswered || !(this.isSent || this.isNotTaken || !origin.isOpen)) return
    const { output, transport } = exchange.channel
    output.whenDrained(() => {
      const isKept = this.isPersistent && this.isSent && origin.isClean
      // A stream of HTTP/2 closes when all of the response is sent.
      if (transport.isClosed && !transport.hasSentAll) this.cutOff("client reset")
      else this.end({ _tag: "Over", ending: "finished", isKept })
    })
  }

  private cutOff(ending: Ending): void {
    if (this.isOver) return
    this.options.origin.close(true)
    this.options.exchange.reset()
    this.end({ _tag: "Over", ending, isKept: false })
  }

  failed(error: Failure): void {
    if (this.isOver) return
    this.finish()
    this.options.origin.close(true)
    this.resume(Effect.fail(error))
  }

  private end(outcome: Outcome): void {
    if (this.isOver) return
    this.finish()
    this.resume(Effect.succeed(outcome))
  }

  private finish(): void {
    this.isOver = true
    this.upload.stop()
    this.options.origin.forget()
    this.options.exchange.onGone = ignored
    this.onEnd()
  }
}

const bad = (reason: string) => new BadResponse({ reason })

const ignored = (): void => {}
