/**
 * Reads the bodies of HTTP/1 messages from bytes that arrive in pieces (RFC 9112 §6.3, §7.1).
 */
import * as Result from "effect/Result"
import { isIncomplete } from "./Decoder.ts"
import type { Fields } from "./Http.ts"
import type { Framing } from "./HttpFraming.ts"
import * as HttpHead from "./HttpHead.ts"

export interface BodyReader {
  /**
   * Takes bytes from the start of `bytes`, and appends the body's bytes among them to `pieces`. Returns the number of
   * bytes taken. 0 means that more bytes are needed, if the body has not ended and is not malformed.
   */
  readonly take: (bytes: Uint8Array, pieces: Array<Uint8Array>) => number
  /** Whether the whole body was taken. */
  readonly isEnd: boolean
  /** What is wrong with the body. No more bytes may be taken. */
  readonly problem: string | undefined
  /** The fields behind the last chunk. */
  readonly trailers: Fields
  /** The number of bytes that are still to come, if it is known. */
  readonly left: number | undefined
  /** Notes that this many bytes of a body of a known length were taken by other means. */
  readonly pass?: (bytes: number) => void
  /** Notes that the stream of the body has ended. Left out where that is no end of the body. */
  readonly close?: () => void
}

export const make = (framing: Framing): BodyReader => {
  switch (framing._tag) {
    case "None":
      return new Counted(0)
    case "Length":
      return new Counted(framing.length)
    case "Chunked":
      return new Chunks()
    case "Close":
      return new Endless()
  }
}

/** A body of a known length. */
class Counted implements BodyReader {
  readonly problem = undefined
  readonly trailers: Fields = []
  left: number

  constructor(length: number) {
    this.left = length
  }

  get isEnd(): boolean {
    return this.left === 0
  }

  take(bytes: Uint8Array, pieces: Array<Uint8Array>): number {
    const size = Math.min(this.left, bytes.length)
    if (size > 0) pieces.push(bytes.subarray(0, size))
    this.left -= size
    return size
  }

  pass(bytes: number): void {
    this.left -= bytes
  }
}

/** A body that ends with the connection. */
class Endless implements BodyReader {
  readonly problem = undefined
  readonly trailers: Fields = []
  readonly isEnd = false
  readonly left = undefined

  take(bytes: Uint8Array, pieces: Array<Uint8Array>): number {
    pieces.push(bytes)
    return bytes.length
  }
}

/** A body that ends with its stream (RFC 9113 §8.1): behind it, `trailers` may be set. */
export class Streamed implements BodyReader {
  problem: string | undefined = undefined
  trailers: Fields = []
  isEnd = false
  readonly left = undefined

  take(bytes: Uint8Array, pieces: Array<Uint8Array>): number {
    pieces.push(bytes)
    return bytes.length
  }

  close(): void {
    this.isEnd = true
  }
}

/** The most bytes of the line of a chunk: its size, and extensions that are dropped. */
const lineLimit = 1024

/** The most bytes of all extensions. */
const extensionLimit = 16 * 1024

/** A body in chunks. Lines end with CRLF, and with nothing else. */
class Chunks implements BodyReader {
  problem: string | undefined = undefined
  trailers: Fields = []
  isEnd = false
  readonly left = undefined
  /** Bytes of the chunk that are still to come. */
  private open = 0
  private next: "size" | "data" | "end of data" | "trailers" = "size"
  private extensions = 0

  take(bytes: Uint8Array, pieces: Array<Uint8Array>): number {
    let at = 0
    while (!this.isEnd && this.problem === undefined) {
      const size = at < bytes.length ? this.step(bytes.subarray(at), pieces) : 0
      if (size === 0) break
      at += size
    }
    return at
  }

  private step(bytes: Uint8Array, pieces: Array<Uint8Array>): number {
    switch (this.next) {
      case "size":
        return this.takeSize(bytes)
      case "data":
        return this.takeData(bytes, pieces)
      case "end of data":
        return this.takeEnd(bytes)
      case "trailers":
        return this.takeTrailers(bytes)
    }
  }

  /** Takes the line in front of a chunk. */
  private takeSize(bytes: Uint8Array): number {
    const end = bytes.indexOf(lf)
    if (end === -1 ? bytes.length > lineLimit : end > lineLimit)
      return this.fail("a chunk size that is too long")
    if (end === -1) return 0
    const [, digits, extension] = line.exec(HttpHead.latin1(bytes, end + 1)) ?? []
    if (digits === undefined) return this.fail("a chunk size that is no number")
    this.extensions += extension!.length
    if (this.extensions > extensionLimit) return this.fail("too many chunk extensions")
    this.open = Number.parseInt(digits, 16)
    this.next = this.open === 0 ? "trailers" : "data"
    return end + 1
  }

  private takeData(bytes: Uint8Array, pieces: Array<Uint8Array>): number {
    const size = Math.min(this.open, bytes.length)
    pieces.push(bytes.subarray(0, size))
    this.open -= size
    if (this.open === 0) this.next = "end of data"
    return size
  }

  private takeEnd(bytes: Uint8Array): number {
    if (bytes[0] !== cr || (bytes.length > 1 && bytes[1] !== lf)) {
      return this.fail("a chunk that is longer than its size")
    }
    if (bytes.length === 1) return 0
    this.next = "size"
    return 2
  }

  private takeTrailers(bytes: Uint8Array): number {
    const decoded = HttpHead.trailers(bytes)
    if (Result.isFailure(decoded)) {
      return isIncomplete(decoded.failure) ? 0 : this.fail(decoded.failure as string)
    }
    this.trailers = decoded.success.value
    this.isEnd = true
    return decoded.success.size
  }

  private fail(problem: string): 0 {
    this.problem = problem
    return 0
  }
}

const line = /^([\da-f]{1,12})((?:;[\t\x20-\x7e\x80-\xff]*)?)\r\n$/i

const lf = 0x0a
const cr = 0x0d
