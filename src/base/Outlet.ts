/**
 * Lines on their way to a descriptor, which may be slow, full or closed. Lines
 * without room are dropped and counted. No call blocks or throws.
 */

/** Writes some of these bytes, and returns their number. Throws the system's error. */
export type Sink = (bytes: Uint8Array, offset: number, length: number) => number

export interface Outlet {
  /** Takes whole lines, without their ends. */
  readonly write: (lines: ReadonlyArray<string>) => void
  /** Sets the text of the line that reports, when there is room again, how many lines were dropped. */
  readonly onDropped: (line: (dropped: number) => string) => void
  /** Limits each write to this number of bytes from now on, unless one line is longer. */
  readonly limit: (atOnce: number) => void
  /** Calls `done` when everything is written, or after `patience` milliseconds. */
  readonly end: (patience: number, done: () => void) => void
}

interface Options {
  readonly sink: Sink
  /** The largest number of bytes that wait. */
  readonly capacity?: number
  /** Calls `run` after so many milliseconds. */
  readonly later?: (millis: number, run: () => void) => void
}

interface Piece {
  readonly bytes: Uint8Array
  /** Number of bytes that were written. */
  offset: number
}

/** Milliseconds before another try: soon for a slow reader, later for a full disk. */
const delays = { first: 1, busy: 50, broken: 1000 }

const usual = { capacity: 4 * 1024 * 1024, atOnce: 256 * 1024 }

export const make = ({ sink, capacity = usual.capacity, later = timeout }: Options): Outlet => {
  let atOnce = usual.atOnce
  let dropNote = (dropped: number) => `${dropped} lines were dropped: nobody took them`
  let queue: Array<Piece> = []
  let size = 0
  let dropped = 0
  let isWaiting = false
  let delay = delays.first
  let ended: (() => void) | undefined

  const push = (bytes: Uint8Array, lines: number) => {
    if (size + bytes.length > capacity) {
      dropped += lines
      return
    }
    queue.push({ bytes, offset: 0 })
    size += bytes.length
  }

  const retryLater = (error: unknown) => {
    const isBusy = (error as NodeJS.ErrnoException).code === "EAGAIN"
    isWaiting = true
    later(isBusy ? delay : delays.broken, () => {
      isWaiting = false
      drain()
    })
    delay = Math.min(delay * 2, delays.busy)
  }

  /** Writes a text without a buffer of its own. Returns false if the text has to wait in one. */
  const tryWriteNow = (text: string): boolean => {
    if (queue.length > 0 || isWaiting || dropped > 0 || text.length * 3 > scratch.length) return false
    const length = scratch.write(text)
    let written = 0
    try {
      written = sink(scratch, 0, length)
    } catch (error) {
      retryLater(error)
      return false
    }
    delay = delays.first
    if (written < length) push(Buffer.from(scratch.subarray(written, length)), 0)
    return true
  }

  /** Reports dropped lines once half of the capacity is free again, so that there are not many such reports. */
  const resume = () => {
    if (dropped === 0 || size > capacity / 2) return
    const count = dropped
    dropped = 0
    push(Buffer.from(`${dropNote(count)}\n`), 0)
  }

  const drain = () => {
    if (isWaiting) return
    let done = 0
    try {
      for (resume(); done < queue.length; resume()) {
        const piece = queue[done]!
        const written = sink(piece.bytes, piece.offset, piece.bytes.length - piece.offset)
        size -= written
        piece.offset += written
        delay = delays.first
        if (piece.offset === piece.bytes.length) done++
      }
    } catch (error) {
      retryLater(error)
    }
    queue = done === queue.length ? [] : queue.slice(done)
    if (queue.length === 0) ended?.()
  }

  return {
    write: (lines) => {
      if (lines.length === 0) return
      resume()
      for (const [text, count] of pieces(lines, atOnce)) {
        if (dropped > 0) dropped += count
        else if (!tryWriteNow(text)) push(Buffer.from(text), count)
      }
      if (queue.length > 0) drain()
    },
    onDropped: (line) => {
      dropNote = line
    },
    limit: (bytes) => {
      atOnce = bytes
    },
    end: (patience, done) => {
      ended = () => {
        ended = undefined
        done()
      }
      drain()
      later(patience, () => ended?.())
    }
  }
}

/** One for all outlets: `isWritten` fills it, and copies what the sink did not take, before it returns. */
const scratch = Buffer.allocUnsafe(usual.atOnce)

/** The lines in texts of at most `atOnce` bytes, each of whole lines, with the number of lines. */
export const pieces = (
  lines: ReadonlyArray<string>,
  atOnce: number
): ReadonlyArray<readonly [text: string, lines: number]> => {
  const whole = `${lines.join("\n")}\n`
  // No character takes more than three bytes for each unit of UTF-16.
  if (whole.length * 3 <= atOnce || Buffer.byteLength(whole) <= atOnce) return [[whole, lines.length]]
  const found: Array<readonly [string, number]> = []
  let piece = ""
  let size = 0
  let count = 0
  for (const line of lines) {
    const length = Buffer.byteLength(line) + 1
    if (size + length > atOnce && size > 0) {
      found.push([piece, count])
      piece = ""
      size = count = 0
    }
    piece += `${line}\n`
    size += length
    count++
  }
  return [...found, [piece, count]]
}

const timeout = (millis: number, run: () => void): void => void setTimeout(run, millis)
