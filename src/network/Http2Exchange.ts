/**
 * One HTTP/2 request of a client, and the response to it, with the interface of an exchange of HTTP/1. HTTP/2 has frames
 * for what HTTP/1 has in the fields of a connection.
 */
import * as Result from "effect/Result"
import type { MalformedRequest } from "../Errors.ts"
import type * as Http from "../wire/Http.ts"
import * as Http2 from "../wire/Http2.ts"
import * as HttpBody from "../wire/HttpBody.ts"
import * as HttpFraming from "../wire/HttpFraming.ts"
import type { ResponseHead } from "../wire/HttpHead.ts"
import { ByteTally } from "./ByteTally.ts"
import type { Client } from "./Client.ts"
import type { Http2Stream } from "./Http2Stream.ts"
import { dated, type HttpChannel, HttpExchange } from "./HttpExchange.ts"
import { HttpInput } from "./HttpInput.ts"
import { HttpOutput } from "./HttpOutput.ts"
import type { Traffic } from "./RelayPair.ts"

/** Takes the client of a stream over, for a request that is no tunnel. */
export const make = (
  head: Http.Head,
  stream: Http2Stream,
  client: Client,
  traffic: Traffic
): Result.Result<HttpExchange, MalformedRequest> =>
  Result.map(HttpFraming.ofRequest(head), (framing) => {
    const { transport, early } = client.detach()
    const tally = new ByteTally(traffic)
    const output = new Http2Output(stream, (bytes) => tally.add("toClient", bytes))
    const input = new HttpInput(transport, early, (bytes) => tally.add("fromClient", bytes))
    const channel: HttpChannel = { transport, input, output, pinned: undefined }
    const exchange = new Http2Exchange(head, framing, channel, tally, output, bodyOf(framing, stream))
    tally.add("fromClient", sizeOf(head.fields))
    input.onClosed = () => {
      channel.pinned?.origin.close()
      client.closed()
      exchange.onGone()
    }
    return exchange
  })

class Http2Exchange extends HttpExchange {
  private readonly responses: Http2Output

  constructor(
    head: Http.Head,
    framing: HttpFraming.Framing,
    channel: HttpChannel,
    tally: ByteTally,
    responses: Http2Output,
    body: HttpBody.BodyReader
  ) {
    super(head, framing, channel, tally, undefined, body)
    this.responses = responses
  }

  override objection({ status }: ResponseHead, framing: HttpFraming.Framing): string | undefined {
    if (status > 599) return "a status that HTTP/2 does not have"
    const isEmpty = framing._tag === "None" || (framing._tag === "Length" && framing.length === 0)
    return status === 205 && !isEmpty ? "a body behind 205" : undefined
  }

  override inform({ status }: ResponseHead, fields: Http.Fields): void {
    this.responses.inform(status, fields)
  }

  override respond({ status }: ResponseHead, fields: Http.Fields, framing: HttpFraming.Framing): void {
    this.hasBegun = true
    this.responses.respond(status, dated(fields), framing)
  }
}

/** Writes the responses to a stream. */
class Http2Output extends HttpOutput {
  private readonly stream: Http2Stream
  private isEnded = false

  constructor(stream: Http2Stream, onWritten: (bytes: number) => void) {
    super(stream.transport, onWritten)
    this.stream = stream
  }

  inform(status: number, fields: Http.Fields): void {
    this.stream.inform(status, fields)
    this.onWritten(sizeOf(fields))
  }

  respond(status: number, fields: Http.Fields, framing: HttpFraming.Framing): void {
    this.stream.respond(status, fields, framing._tag !== "None")
    this.onWritten(sizeOf(fields))
  }

  override end(trailers: Http.Fields): void {
    this.flush()
    this.isEnded = true
    this.stream.end(trailers)
  }

  override whenDrained(then: () => void): void {
    if (this.isEnded) this.stream.whenSent(then)
    else super.whenDrained(then)
  }
}

/** Reads the body to its length, or to the end of the stream, where trailers may follow. */
const bodyOf = (framing: HttpFraming.Framing, stream: Http2Stream): HttpBody.BodyReader => {
  if (framing._tag !== "Chunked") return HttpBody.make(framing)
  const body = new HttpBody.Streamed()
  stream.onTrailers = (lines) => {
    const trailers = Http2.trailers(lines)
    if (typeof trailers === "string") body.problem = trailers
    else body.trailers = trailers
  }
  return body
}

/** The bytes of fields as HTTP/1 has them: HTTP/2 compresses them. */
const sizeOf = (fields: Http.Fields): number =>
  fields.reduce((size, [name, value]) => size + name.length + value.length + 4, 0)
