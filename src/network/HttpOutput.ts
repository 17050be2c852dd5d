/**
 * Writes HTTP/1 messages to a connection. All that is written in one turn of the event loop goes in one write.
 */
import type { Fields } from "../wire/Http.ts"
import type { Framing } from "../wire/HttpFraming.ts"
import * as HttpHead from "../wire/HttpHead.ts"
import type { Transport } from "./Transport.ts"

export class HttpOutput {
  /** Called with the number of bytes that were written. */
  onWritten: (bytes: number) => void
  readonly transport: Transport
  private pieces: Array<Uint8Array> = []
  private size = 0
  /** Whether the body is written in chunks. */
  private isChunked = false

  constructor(transport: Transport, onWritten: (bytes: number) => void) {
    this.transport = transport
    this.onWritten = onWritten
  }

  /** Whether too many bytes are unsent. */
  get isFull(): boolean {
    return this.transport.isFull || this.size > atOnce
  }

  /** Whether the body goes to the connection as it is. */
  get isPlain(): boolean {
    return !this.isChunked
  }

  /** Writes a head, and goes by its framing for the body. */
  head(start: string, fields: Fields, framing: Framing): void {
    this.isChunked = framing._tag === "Chunked"
    this.push(Buffer.from(HttpHead.write(start, fields), "latin1"))
  }

  /** Writes a part of the body. The bytes must not change. */
  body(pieces: ReadonlyArray<Uint8Array>): void {
    let size = 0
    for (const { length } of pieces) size += length
    if (size === 0) return
    if (this.isChunked) this.push(Buffer.from(`${size.toString(16)}\r\n`, "latin1"))
    for (const piece of pieces) this.push(piece)
    if (this.isChunked) this.push(crlf)
  }

  /** Ends the body. Trailers are dropped if the body is not in chunks. */
  end(trailers: Fields): void {
    if (this.isChunked) this.push(Buffer.from(HttpHead.write("0", trailers), "latin1"))
    this.flush()
  }

  /** Sends what was written. */
  flush(): void {
    const { pieces, size, transport } = this
    if (size === 0) return
    this.pieces = []
    this.size = 0
    if (!transport.isWritable) return
    this.onWritten(size)
    if (pieces.length === 1) transport.write(pieces[0]!)
    else if (size <= atOnce) transport.write(Buffer.concat(pieces, size))
    else transport.writeAll(pieces, ignored)
  }

  /** Calls `then` when the system has taken all that was written, or the connection has closed. */
  whenDrained(then: () => void): void {
    this.flush()
    if (this.transport.unsent === 0 || !this.transport.isWritable) then()
    else this.transport.write(nothing, then)
  }

  private push(bytes: Uint8Array): void {
    // Not `queueMicrotask`, which makes an object to trace each call by.
    if (this.size === 0) void settled.then(this.flushed)
    this.size += bytes.length
    this.pieces.push(bytes)
  }

  private readonly flushed = (): void => this.flush()
}

/** Up to this size, a copy into one buffer is cheaper than to write several. */
const atOnce = 16 * 1024

const settled = Promise.resolve()

const ignored = (): void => {}

const crlf = Buffer.from("\r\n")

const nothing = Buffer.alloc(0)
