/**
 * The HTTP requests of one client connection, one after another. A head is read after the request before is answered,
 * and a body after its request is admitted.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Event } from "../base/Abortable.ts"
import { ClientGone, HandshakeTimeout, type HeadTooLarge, type MalformedRequest } from "../Errors.ts"
import * as ConnectUdp from "../wire/ConnectUdp.ts"
import { isIncomplete } from "../wire/Decoder.ts"
import type * as Http from "../wire/Http.ts"
import * as HttpFraming from "../wire/HttpFraming.ts"
import * as HttpHead from "../wire/HttpHead.ts"
import { ByteTally } from "./ByteTally.ts"
import type { Client } from "./Client.ts"
import { type HttpChannel, HttpExchange, type Pinned, startOf } from "./HttpExchange.ts"
import { HttpInput, type Taker } from "./HttpInput.ts"
import { HttpOutput } from "./HttpOutput.ts"
import { HttpPump } from "./HttpPump.ts"
import type { Traffic } from "./RelayPair.ts"
import type { Transport } from "./Transport.ts"

/** A request whose head was read. CONNECT and CONNECT-UDP have no exchange: the `Client` has the connection back for the tunnel. */
export interface Incoming {
  readonly head: Http.Head
  readonly exchange: HttpExchange | undefined
}

export interface HttpConnection {
  /** Waits for the first byte of the next request, after the last response is sent, until it has `expired`. */
  readonly awaitRequest: (expired: Event) => Effect.Effect<void, ClientGone>
  /** Reads the next request, after the last response is sent, until it is `late`. Counts the bytes in `traffic`. */
  readonly next: (traffic: Traffic, late: Event) => Effect.Effect<Incoming, Failure>
  /**
   * Answers the last request. If a response has begun, resets the connection instead, so that the client cannot take
   * half a response for a whole one. With `staysOpen` the connection stays for another request, if the last request
   * allows it.
   */
  readonly answer: (answer: Http.Answer, staysOpen: boolean) => Effect.Effect<void>
  /** Whether another request can follow on the connection. */
  readonly hasNext: () => boolean
}

type Failure = ClientGone | HandshakeTimeout | MalformedRequest | HeadTooLarge

/** Takes over the connection of a client before its first request. `keepAlive`: seconds, to be announced. */
export const make = (client: Client, keepAlive: number | undefined): Effect.Effect<HttpConnection> =>
  Effect.sync(() => new Requests(client, keepAlive))

class Requests implements HttpConnection, HttpChannel, Taker {
  readonly transport: Transport
  readonly input: HttpInput
  readonly output: HttpOutput
  pinned: Pinned | undefined = undefined
  readonly byLine = true
  private readonly client: Client
  private readonly keepAlive: number | undefined
  private tally = new ByteTally({ sent: 0, received: 0 })
  /** The request to answer. */
  private last: HttpExchange | undefined = undefined
  /** Ends the wait for a request. */
  private resume: (result: Effect.Effect<Incoming, Failure>) => void = ignored
  private isOver = false

  constructor(client: Client, keepAlive: number | undefined) {
    const { transport, early } = client.detach()
    this.client = client
    this.keepAlive = keepAlive
    this.transport = transport
    this.output = new HttpOutput(transport, (bytes) => this.tally.add("toClient", bytes))
    this.input = new HttpInput(transport, early, (bytes) => this.tally.add("fromClient", bytes))
    this.input.onClosed = () => this.closed()
  }

  awaitRequest(expired: Event): Effect.Effect<void, ClientGone> {
    return Effect.callback((resume) => {
      const over = this.until(expired, gone, () => resume(gone))
      const come = () => {
        this.input.want()
        over()
        resume(Effect.void)
      }
      this.whenReady(() => this.input.want({ take: come, ended: () => this.ended() }))
      return Effect.sync(() => {
        over()
        this.end()
      })
    })
  }

  next(traffic: Traffic, late: Event): Effect.Effect<Incoming, Failure> {
    return Effect.callback((resume) => {
      const over = this.until(late, tooLate, resume)
      this.whenReady(() => {
        this.last = undefined
        this.tally = new ByteTally(traffic)
        this.input.want(this)
      })
      return Effect.sync(() => {
        over()
        this.end()
      })
    })
  }

  answer(answer: Http.Answer, staysOpen: boolean): Effect.Effect<void> {
    return Effect.sync(() => {
      const { last } = this
      if (last?.hasBegun) {
        this.end()
        last.reset()
      } else if (last) {
        last.isLast ||= this.isOver || !staysOpen || !last.isSoonWhole
        if (last.isLast) this.end()
        last.answer(answer)
      } else this.write(answer)
    })
  }

  hasNext(): boolean {
    const { last } = this
    return !this.isOver && !this.transport.isClosed && !!last?.hasBegun && !last.isLast && last.isSoonWhole
  }

  take(bytes: Buffer): void {
    // RFC 9112 §2.2: empty lines before a request are no part of it.
    if (bytes[0] === 0x0d && (bytes.length === 1 || bytes[1] === 0x0a)) {
      if (bytes.length > 1) this.input.use(2)
      return
    }
    const decoded = HttpHead.request(bytes)
    if (Result.isFailure(decoded)) {
      if (!isIncomplete(decoded.failure)) this.fail(Effect.fail(decoded.failure))
      return
    }
    const { value: head, size } = decoded.success
    this.input.want()
    this.input.use(size)
    this.begin(head)
  }

  ended(): void {
    // FIN in the middle of a head is no error: the client is gone.
    this.fail(gone)
  }

  private begin(head: Http.Head): void {
    const framing = HttpFraming.ofRequest(head)
    if (Result.isFailure(framing)) {
      this.fail(Effect.fail(framing.failure))
      return
    }
    if (head.method === "CONNECT" || ConnectUdp.isAsked(head)) {
      this.isOver = true
      this.client.attach(this.input.release())
      this.resume(Effect.succeed({ head, exchange: undefined }))
      return
    }
    const exchange = new HttpExchange(head, framing.success, this, this.tally, this.keepAlive)
    this.last = exchange
    this.resume(Effect.succeed({ head, exchange }))
  }

  /** Has `resume` end a wait, and the event, which does so with this failure. Returns the function that calls both off. */
  private until(
    event: Event,
    failure: Effect.Effect<never, Failure>,
    resume: (result: Effect.Effect<Incoming, Failure>) => void
  ): () => void {
    let callOff = ignored
    const over = () => {
      this.resume = ignored
      callOff()
    }
    this.resume = (result) => {
      over()
      resume(result)
    }
    callOff = event(() => this.fail(failure))
    return over
  }

  /** Calls `then` when the last body is read and the last response is sent. */
  private whenReady(then: () => void): void {
    const { input, output, last } = this
    input.pace(undefined)
    const sent = () => output.whenDrained(then)
    if (this.transport.isClosed) this.fail(gone)
    else if (last === undefined || last.body.isEnd) sent()
    else {
      const fail = () => this.fail(gone)
      new HttpPump(input, last.body, undefined, { whole: sent, malformed: fail, ended: fail }).start()
    }
  }

  private fail(failure: Effect.Effect<never, Failure>): void {
    this.end()
    this.resume(failure)
  }

  /** Reads no further request. */
  private end(): void {
    this.isOver = true
    this.input.discard()
  }

  /** Answers what was no request, or CONNECT. */
  private write({ status, fields, body }: Http.Answer): void {
    const bytes = Buffer.from(body)
    const start = startOf({ status, reason: "", version: "1.1", fields: [] })
    const own: Http.Fields = [
      ["Content-Length", String(bytes.length)],
      ["Connection", "close"]
    ]
    this.output.head(start, [...fields, ...own], HttpFraming.none)
    this.output.body([bytes])
    this.output.flush()
  }

  private closed(): void {
    this.pinned?.origin.close()
    this.pinned = undefined
    this.client.closed()
    this.last?.onGone()
    this.resume(gone)
  }
}

const gone = Effect.fail(new ClientGone())
const tooLate = Effect.fail(new HandshakeTimeout())

const ignored = (): void => {}
