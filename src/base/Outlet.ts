/**
 * Lines on their way to a descriptor, which may be slow, full or gone: what there
 * is no room for is dropped and counted, and nothing here blocks or throws.
 */

/** Writes some of these bytes, and returns how many. Throws what the system says. */
export type Sink = (bytes: Uint8Array, offset: number, length: number) => number

export interface Outlet {
  /** Takes whole lines, without their ends. */
  readonly write: (lines: ReadonlyArray<string>) => void
  /** How the line reads that says, when there is room again, how many were dropped. */
  readonly onDropped: (line: (dropped: number) => string) => void
  /** From now on no write is longer than this, in bytes, unless one line is. */
  readonly limit: (atOnce: number) => void
  /** Calls this when all is written, or after so many milliseconds. */
  readonly end: (patience: number, done: () => void) => void
}

interface Options {
  readonly sink: Sink
  /** Bytes that wait at most. */
  readonly capacity?: number
  /** Runs something after so many milliseconds. */
  readonly later?: (millis: number, run: () => void) => void
}

interface Piece {
  readonly bytes: Uint8Array
  /** Where it goes on. */
  offset: number
}

/** Milliseconds before another try: a reader that is slow is asked soon, a disk that is full in a while. */
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

  const waitOut = (error: unknown) => {
    const isBusy = (error as NodeJS.ErrnoException).code === "EAGAIN"
    isWaiting = true
    later(isBusy ? delay : delays.broken, () => {
      isWaiting = false
      drain()
    })
    delay = Math.min(delay * 2, delays.busy)
  }

  /** Without a buffer of its own, which nearly all lines do not need. Returns whether it needs none. */
  const isWritten = (text: string): boolean => {
    if (queue.length > 0 || isWaiting || dropped > 0 || text.length * 3 > scratch.length) return false
    const length = scratch.write(text)
    let written = 0
    try {
      written = sink(scratch, 0, length)
    } catch (error) {
      waitOut(error)
      return false
    }
    delay = delays.first
    if (written < length) push(Buffer.from(scratch.subarray(written, length)), 0)
    return true
  }

  /** Once it was full, only when half of it is free again: else there would be one such line after the other. */
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
      waitOut(error)
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
        else if (!isWritten(text)) push(Buffer.from(text), count)
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

/** Whole lines, as many together as are no longer than this, in bytes, and how many they are. */
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
