/**
 * Cuts the body of a request into pieces, so that no piece also has bytes of the next request. Node's parser decides
 * where the body ends; until then the bytes are cut.
 */
import * as Http from "../wire/Http.ts"

export interface BodyPieces {
  /** The size of the next piece at the start of these bytes; at least 1. */
  readonly next: (bytes: Buffer) => number
}

/** The pieces of the body of a message with these fields. */
export const of = (fields: Http.Fields): BodyPieces => {
  const [length] = Http.values(fields, "content-length")
  return length === undefined ? new Chunks() : new Length(Number(length))
}

/** A body with Content-Length: a piece ends where the body ends. */
class Length implements BodyPieces {
  private left: number

  constructor(length: number) {
    this.left = length
  }

  next(bytes: Buffer): number {
    const size = this.left > 0 ? Math.min(this.left, bytes.length) : 1
    this.left -= size
    return size
  }
}

/** A chunked body: a piece ends behind an empty line, with which the chunks end. */
class Chunks implements BodyPieces {
  /** Whether the last piece ended with CR or LF, so that an empty line may be split between two pieces. */
  private isSplit = false

  next(bytes: Buffer): number {
    const found = bytes.indexOf(emptyLine)
    const whole = found === -1 ? bytes.length : found + emptyLine.length
    const size = this.isSplit ? Math.min(whole, emptyLine.length - 1) : whole
    const end = bytes[size - 1]
    this.isSplit = end === 0x0d || end === 0x0a
    return size
  }
}

const emptyLine = Buffer.from("\r\n\r\n")
