/**
 * One HTTP request of a client, and the response to it.
 */
import { STATUS_CODES } from "node:http"
import * as Http from "../wire/Http.ts"
import * as HttpBody from "../wire/HttpBody.ts"
import * as HttpFields from "../wire/HttpFields.ts"
import * as HttpFraming from "../wire/HttpFraming.ts"
import type { ResponseHead } from "../wire/HttpHead.ts"
import type { ByteTally } from "./ByteTally.ts"
import type { HttpInput } from "./HttpInput.ts"
import type { HttpOrigin } from "./HttpOrigin.ts"
import type { HttpOutput } from "./HttpOutput.ts"
import type { Transport } from "./Transport.ts"

/** The most bytes of the body of a refused request that are read to keep the connection open. */
const refusedBodyLimit = 64 * 1024

/** What lasts longer than one exchange: the client's connection. */
export interface HttpChannel {
  readonly transport: Transport
  readonly input: HttpInput
  readonly output: HttpOutput
  /** The connection to an origin that this connection alone uses. */
  pinned: Pinned | undefined
}

/** A connection on which the client has authenticated itself to the origin, so that nobody else may use it. */
export interface Pinned {
  readonly key: string
  readonly origin: HttpOrigin
}

export class HttpExchange {
  readonly head: Http.Head
  readonly framing: HttpFraming.Framing
  /** Reads the body of the request. */
  readonly body: HttpBody.BodyReader
  readonly channel: HttpChannel
  /** Counts the bytes of this request and its response. */
  readonly tally: ByteTally
  /** Whether the head of the final response was written. */
  hasBegun = false
  /** Called when the client's connection has closed. */
  onGone: () => void = () => {}
  /** Whether the connection closes behind the response. */
  isLast: boolean
  /** Seconds that the connection stays open without a request. */
  private readonly keepAlive: number | undefined

  constructor(
    head: Http.Head,
    framing: HttpFraming.Framing,
    channel: HttpChannel,
    tally: ByteTally,
    keepAlive: number | undefined,
    body = HttpBody.make(framing)
  ) {
    this.head = head
    this.framing = framing
    this.body = body
    this.channel = channel
    this.tally = tally
    this.keepAlive = keepAlive
    this.isLast = !isPersistent(head)
  }

  /**
   * Whether the rest of the body is known to be short, and the client does not wait for 100 before it: so that it may be
   * read for nothing.
   */
  get isSoonWhole(): boolean {
    const { body } = this
    return body.isEnd || ((body.left ?? Infinity) <= refusedBodyLimit && !this.expectsContinue)
  }

  /** Whether the client may wait for 100 before it sends the body (RFC 9110 §10.1.1). */
  get expectsContinue(): boolean {
    return this.head.version !== "1.0" && Http.values(this.head.fields, "expect").length > 0
  }

  /** Why this response cannot be passed on; undefined if it can. */
  objection(_: ResponseHead, __: HttpFraming.Framing): string | undefined {
    return undefined
  }

  /** Writes an interim response, with the fields to pass on. HTTP/1.0 knows none. */
  inform(response: ResponseHead, fields: Http.Fields): void {
    if (this.head.version === "1.0") return
    this.channel.output.head(startOf(response), fields, HttpFraming.none)
  }

  /** Writes the head of the final response, with the fields to pass on and those of this connection. */
  respond(response: ResponseHead, fields: Http.Fields, framing: HttpFraming.Framing): void {
    this.hasBegun = true
    const isOld = this.head.version === "1.0"
    const isOpen = framing._tag === "Close" || framing._tag === "Chunked"
    if (isOpen && isOld) this.isLast = true
    const own = this.connection(response)
    this.channel.output.head(
      startOf(response),
      dated(fields).concat(isOpen && !isOld ? [chunked, ...own] : own),
      isOpen ? (isOld ? HttpFraming.close : HttpFraming.chunked) : framing
    )
  }

  /** Writes the head after which the connection no longer speaks HTTP/1 (RFC 9110 §7.8). */
  switchProtocols(response: ResponseHead, fields: Http.Fields): void {
    this.hasBegun = true
    this.isLast = true
    this.channel.output.head(startOf(response), fields, HttpFraming.none)
  }

  /** Answers the request with a response of this server itself. */
  answer({ status, fields, body }: Http.Answer): void {
    const bytes = Buffer.from(body)
    const length = ["Content-Length", String(bytes.length)] as const
    const response = { status, reason: "", version: "1.1", fields: [] }
    this.respond(response, [...fields, length], HttpFraming.none)
    if (this.head.method !== "HEAD") this.channel.output.body([bytes])
    this.channel.output.flush()
  }

  /** Resets the client's connection behind what there is, so that the client cannot take half a response for a whole one. */
  reset(): void {
    this.channel.output.flush()
    this.channel.transport.reset()
  }

  private connection(response: ResponseHead): Http.Fields {
    if (this.isLast) return [["Connection", "close"]]
    const { keepAlive } = this
    const announced: Http.Fields = keepAlive === undefined ? [] : [["Keep-Alive", `timeout=${keepAlive}`]]
    // RFC 4559 §6: the origin's connection stays this client's own, so the client may authenticate it.
    return HttpFields.asksForConnection(response.fields)
      ? [["Connection", "keep-alive, Proxy-Support"], ...announced, sessionBased]
      : [["Connection", "keep-alive"], ...announced]
  }
}

const chunked = ["Transfer-Encoding", "chunked"] as const

const sessionBased = ["Proxy-Support", "Session-Based-Authentication"] as const

/** The status line. Clients ignore the reason phrase (RFC 9112 §4), so an invalid one is replaced. */
export const startOf = ({ status, reason }: ResponseHead): string =>
  `HTTP/1.1 ${status} ${reason !== "" && Http.isReason(reason) ? reason : (STATUS_CODES[status] ?? "")}`

/** Whether the client's connection stays open behind the response (RFC 9112 §9.3). */
const isPersistent = ({ version, fields }: Http.Head): boolean => {
  const options = Http.options(fields, "connection")
  return version === "1.0" ? options.includes("keep-alive") : !options.includes("close")
}

/** RFC 9110 §6.6.1: who forwards a response without a date adds one. */
export const dated = (fields: Http.Fields): Http.Fields =>
  has(fields, "date") ? fields : [...fields, ["Date", new Date().toUTCString()]]

const has = (fields: Http.Fields, wanted: string): boolean =>
  fields.some(([name]) => name.length === wanted.length && name.toLowerCase() === wanted)
