/**
 * A stream of an HTTP/2 connection, as its server has it (RFC 9113 §5): the fields of the request, the response, and the
 * DATA frames as a transport of their own.
 */
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2"
import type { Fields } from "../wire/Http.ts"
import { NodeTransport } from "./NodeTransport.ts"
import type { Transport } from "./Transport.ts"

const { NGHTTP2_CONNECT_ERROR, NGHTTP2_FLAG_END_STREAM } = constants
const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants

export class Http2Stream {
  /** The field lines of the request: names and values by turns. */
  readonly lines: ReadonlyArray<string>
  /** Whether DATA frames may follow the fields. */
  readonly hasBody: boolean
  readonly transport: Transport
  /** Called with the trailers of the request, before the end of its body. */
  onTrailers: (lines: ReadonlyArray<string>) => void = () => {}
  private readonly stream: ServerHttp2Stream
  private readonly data: StreamTransport

  /** `carrier` is the connection that the stream is one of. */
  constructor(stream: ServerHttp2Stream, flags: number, lines: ReadonlyArray<string>, carrier: Transport) {
    this.stream = stream
    this.lines = lines
    this.hasBody = (flags & NGHTTP2_FLAG_END_STREAM) === 0
    this.data = new StreamTransport(stream, carrier)
    this.transport = this.data
    stream.on("trailers", (_, __, lines?: ReadonlyArray<string>) => this.onTrailers(lines ?? []))
  }

  /** Notes that the request is served from now on, so that a reset is no refusal any more. */
  accept(): void {
    this.data.resetCode = NGHTTP2_INTERNAL_ERROR
  }

  /**
   * Begins the final response. One that is `passedOn` may have trailers, and may break off: without `waitForTrailers`, Node
   * would end a stream in order before it resets it, and half a response would look like a whole one.
   */
  respond(status: number, fields: Fields, passedOn = false): void {
    if (!this.canSend) return
    this.attempt(() => this.stream.respond(headersOf(status, fields), { waitForTrailers: passedOn }))
  }

  /** Sends an interim response. */
  inform(status: number, fields: Fields): void {
    if (this.canSend) this.attempt(() => this.stream.additionalHeaders(headersOf(status, fields)))
  }

  /** Begins a tunnel, whose end in the middle is told by an error of its own (RFC 9113 §8.5). */
  open(fields: Fields): void {
    this.data.resetCode = NGHTTP2_CONNECT_ERROR
    this.respond(200, fields, true)
  }

  /** Ends the response, with trailers if there are any. */
  end(trailers: Fields): void {
    const { stream } = this
    stream.once("wantTrailers", () => this.attempt(() => stream.sendTrailers(objectOf(trailers))))
    this.transport.end()
  }

  /** Asks for no more of the request, as soon as the response is whole (RFC 9113 §8.1). */
  closeWhenSent(): void {
    this.whenSent(() => this.stream.closed || this.stream.close(NGHTTP2_NO_ERROR))
  }

  /** Calls `then` when all of the response is sent, or the stream has closed. */
  whenSent(then: () => void): void {
    const { stream } = this
    if (stream.writableFinished || stream.destroyed) then()
    else {
      let isSent = false
      const sent = () => {
        if (isSent) return
        isSent = true
        then()
      }
      stream.once("finish", sent).once("close", sent)
    }
  }

  /** Fields that Node does not send, which an origin chooses, end this stream and no other. */
  private attempt(send: () => void): void {
    try {
      send()
    } catch {
      this.transport.reset()
    }
  }

  private get canSend(): boolean {
    return !this.stream.destroyed && !this.stream.closed && !this.stream.headersSent
  }
}

/**
 * The DATA frames of a stream. Node gives the reset of a stream as an orderly end, with a code: for a tunnel that would be
 * the difference between a whole upload and half of one.
 */
class StreamTransport extends NodeTransport {
  /** The error of a reset (RFC 9113 §7). At first: nothing was done for the request, which may be made again (§8.7). */
  resetCode: number = NGHTTP2_REFUSED_STREAM
  private readonly stream: ServerHttp2Stream
  private readonly connection: Transport
  private isWhole = false
  private isReset = false

  constructor(stream: ServerHttp2Stream, connection: Transport) {
    super(stream, {})
    this.stream = stream
    this.connection = connection
    // Node would tell of the client's reset only behind all bytes that came before. It tells of our own, too, before the
    // reset is sent.
    stream.on("aborted", () => this.isReset || stream.destroy())
  }

  override get hasEnded(): boolean {
    return this.isWhole
  }

  override get isClosed(): boolean {
    return this.stream.destroyed || this.stream.closed
  }

  override ended(): void {
    const { stream } = this
    if (stream.aborted || (stream.rstCode !== undefined && stream.rstCode !== 0)) return
    this.isWhole = true
    super.ended()
  }

  override reset(): void {
    const { stream } = this
    this.isReset = true
    if (stream.destroyed || stream.closed) stream.destroy()
    // Later, as Node destroys a stream whose client has ended it as soon as it is closed, and its reset waits for what is read.
    else if (this.isWhole) setImmediate(() => this.sendReset())
    else this.sendReset()
  }

  private sendReset(): void {
    const { stream } = this
    if (!stream.destroyed) stream.close(this.resetCode)
    // Not yet: while something is being written to the connection, the reset waits behind what came before it.
    setImmediate(() => stream.destroy())
  }

  override keepAlive(): void {
    this.connection.keepAlive()
  }
}

const headersOf = (status: number, fields: Fields): OutgoingHttpHeaders => ({
  ":status": status,
  ...objectOf(fields)
})

/** The fields by their lower-case names. Lines of one name stay apart where Node permits it, and are joined elsewhere. */
const objectOf = (fields: Fields): OutgoingHttpHeaders => {
  const object: Record<string, string | Array<string>> = Object.create(null)
  for (const [written, value] of fields) {
    const name = written.toLowerCase()
    const before = object[name]
    if (before === undefined) object[name] = value
    else if (severalLines.has(name)) object[name] = [before, value].flat()
    else object[name] = `${before}, ${value}`
  }
  return object
}

/** Fields whose lines must not be joined, or which clients expect apart (RFC 9110 §5.3). */
const severalLines: ReadonlySet<string> = new Set([
  "set-cookie",
  "www-authenticate",
  "proxy-authenticate",
  "warning"
])
