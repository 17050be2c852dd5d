/**
 * The streams of an HTTP/2 connection: each is served as a connection of its own, with its own session.
 *
 * The connection counts as a handshake while it has no streams, as a connection of HTTP/1 does between two requests.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Event } from "../base/Abortable.ts"
import { type Http2Connection, streamLimit } from "../network/Http2Connection.ts"
import type { Http2Stream } from "../network/Http2Stream.ts"
import type { Ending } from "../network/Relay.ts"
import * as Http2 from "../protocols/http/Http2.ts"
import type { Exchange } from "../protocols/Protocol.ts"
import type { SessionLog } from "../session/Session.ts"
import type { Accepted } from "../session/States.ts"

/** Begins the exchange on a stream. */
export const begin = (
  accepted: Accepted,
  log: SessionLog,
  stream: Http2Stream,
  logins: Http2.Logins
): Exchange => {
  stream.accept()
  return Http2.begin(accepted, log, stream, logins)
}

export interface Options<R> {
  readonly connection: Http2Connection
  /** Serves a stream until it ends. */
  readonly serve: (stream: Http2Stream, logins: Http2.Logins) => Effect.Effect<void, never, R>
  /** Happens when the connection has waited too long for a request; `isKnown` tells whether its client has logged in. */
  readonly expired: (isKnown: boolean) => Event
  /** Happens when the connection has been silent long enough to ask for its client, and when that has not answered. */
  readonly silence: Event
  /** Happens when the client has had the time to close the connection. */
  readonly grace: Event
  /** Happens when the server takes no new requests any more. */
  readonly draining: Event
  /** Called when the first stream begins, and when the last one has ended. */
  readonly busy: (isBusy: boolean) => void
}

/** Serves streams until the connection has closed. Resets all streams when it is interrupted. */
export const run = <R>(options: Options<R>): Effect.Effect<Ending, never, R> =>
  Effect.contextWith((context) =>
    Effect.callback((resume) => {
      const fork = Effect.runForkWith(context)
      const streams = new Streams(options, (effect) => fork(effect))
      options.connection.listen(
        (stream) => streams.begin(stream),
        () => streams.closed(() => resume(Effect.succeed("finished")))
      )
      return Effect.callback<void>((done) => streams.abandon(() => done(Effect.void)))
    })
  )

class Streams<R> {
  private readonly options: Options<R>
  private readonly fork: (effect: Effect.Effect<void, never, R>) => Fiber.Fiber<void>
  private readonly logins: Http2.Logins
  private readonly fibers = new Set<Fiber.Fiber<void>>()
  private readonly stopHearing: () => void
  private stopWaiting: () => void = () => {}
  private isClosed = false
  private onEmpty: (() => void) | undefined = undefined

  constructor(options: Options<R>, fork: Streams<R>["fork"]) {
    this.options = options
    this.fork = fork
    this.logins = new Http2.Logins(options.connection)
    this.wait()
    this.stopHearing = options.draining(() => this.drain())
  }

  begin(stream: Http2Stream): void {
    const { fibers, options, logins } = this
    // A client that resets its streams has room for others, before what it had asked for has ended.
    if (this.isClosed || fibers.size >= streamLimit) {
      stream.transport.reset()
      return
    }
    if (fibers.size === 0) {
      this.stopWaiting()
      options.busy(true)
    }
    const fiber = this.fork(options.serve(stream, logins))
    fibers.add(fiber)
    fiber.addObserver(() => {
      fibers.delete(fiber)
      if (fibers.size === 0) this.empty()
    })
  }

  /** The connection has closed: the sessions of its streams end by themselves. */
  closed(then: () => void): void {
    this.isClosed = true
    this.stopHearing()
    this.stopWaiting()
    this.whenEmpty(then)
  }

  abandon(then: () => void): void {
    this.closed(then)
    for (const fiber of this.fibers) fiber.interruptUnsafe()
  }

  /** Has the client make its next requests elsewhere. */
  private drain(): void {
    this.options.connection.close()
    if (this.fibers.size > 0) return
    this.stopWaiting()
    this.wait()
  }

  private whenEmpty(then: () => void): void {
    if (this.fibers.size === 0) then()
    else this.onEmpty = then
  }

  private empty(): void {
    this.options.busy(false)
    if (!this.isClosed) this.wait()
    this.onEmpty?.()
  }

  /** Waits for the next stream. */
  private wait(): void {
    const { connection, expired, grace } = this.options
    const closing = () => {
      this.stopWaiting()
      connection.close()
      this.stopWaiting = grace(() => connection.reset())
    }
    if (connection.isClosing()) closing()
    else {
      const stops = [expired(this.logins.hasSucceeded)(closing), this.ask(closing)]
      this.stopWaiting = () => {
        for (const stop of stops) stop()
      }
    }
  }

  /** Finds out about a client that is gone, and about one that Node has stopped to hear, after a flood: neither answers. */
  private ask(gone: () => void): () => void {
    const { connection, silence } = this.options
    let stop = silence(() => {
      stop = silence(gone)
      connection.ping(() => stop())
    })
    return () => stop()
  }
}
