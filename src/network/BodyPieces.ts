/**
 * Where a body may be cut so that no piece of it holds the request behind it,
 * too. Where the body ends is the parser's to say; until then pieces follow.
 */
import * as Http from "../wire/Http.ts"

export interface BodyPieces {
  /** How many of these bytes, at least one, are the next piece. */
  readonly next: (bytes: Buffer) => number
}

/** Of a message with these fields. */
export const of = (fields: Http.Fields): BodyPieces => {
  const [length] = Http.values(fields, "content-length")
  return length === undefined ? new Chunks() : new Length(Number(length))
}

/** Up to what is left of the length that was announced. */
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

/** Up to an empty line, at which chunks end. */
class Chunks implements BodyPieces {
  /** The last piece ended in what an empty line may begin with. */
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
