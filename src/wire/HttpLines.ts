/**
 * The lines of a message's head, counted in bytes that no parser has seen: a
 * head of too many fields is refused before anything is made of them.
 *
 * Where a head ends is not decided here. Bytes are only cut behind each empty
 * line, and every head ends at one, so that no cut piece holds more than one.
 */

/** Counts until `reset`. */
export class HttpLines {
  private readonly limit: number
  private count = 0
  /** The line that has begun has no byte, or a CR alone. */
  private isEmpty = true

  /** Of a head of at most so many fields. */
  constructor(fieldLimit: number) {
    // The line before the fields, and the empty one behind them.
    this.limit = fieldLimit + 2
  }

  /** How many of these bytes go up to the first empty line, that one included; all of them if there is none. Nothing if the lines are too many. */
  cut(bytes: Uint8Array): number | undefined {
    let start = 0
    for (let end = bytes.indexOf(lf); end !== -1; end = bytes.indexOf(lf, start)) {
      const isEmpty = this.isEmpty && isNothing(bytes, start, end)
      start = end + 1
      this.isEmpty = true
      if (++this.count > this.limit) return undefined
      if (isEmpty) return start
    }
    this.isEmpty &&= isNothing(bytes, start, bytes.length)
    return bytes.length
  }

  /** A head has ended. */
  reset(): void {
    this.count = 0
    this.isEmpty = true
  }
}

const lf = 0x0a
const cr = 0x0d

const isNothing = (bytes: Uint8Array, start: number, end: number): boolean =>
  start === end || (start + 1 === end && bytes[start] === cr)
