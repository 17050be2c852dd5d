/**
 * Counts the lines of a head before Node's parser gets the bytes, so that a head with too many fields is refused
 * before the parser allocates memory for the fields.
 *
 * The parser alone decides where a head ends. This file cuts the bytes behind each empty line. Every head ends with an
 * empty line, so no piece holds bytes of two heads.
 */

/** The count of one head, until `reset`. */
export class HttpLines {
  private readonly limit: number
  private count = 0
  /** Whether the last line, which has no LF yet, is empty or a CR alone. */
  private isEmpty = true

  /** `fieldLimit` is the most fields of a head. */
  constructor(fieldLimit: number) {
    // The start line, and the empty line behind the fields.
    this.limit = fieldLimit + 2
  }

  /**
   * The number of bytes up to the end of the first empty line; all bytes, if no line is empty. Undefined if the head
   * has too many lines.
   */
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

  /** Begins to count the next head. */
  reset(): void {
    this.count = 0
    this.isEmpty = true
  }
}

const lf = 0x0a
const cr = 0x0d

const isNothing = (bytes: Uint8Array, start: number, end: number): boolean =>
  start === end || (start + 1 === end && bytes[start] === cr)
