/**
 * Finds out that nothing has moved for a time.
 */
import * as Duration from "effect/Duration"

interface Options {
  readonly time: Duration.Duration
  /** A number that grows when something moves. */
  readonly moved: () => number
  /** Whether what moves waits for bandwidth, which is not quiet. */
  readonly isHeld: () => boolean
  /** Calls back after a time. Returns the function that calls it off. */
  readonly after: (time: Duration.Duration, then: () => void) => () => void
  readonly expire: () => void
}

/** The number of looks in the time, which is so kept to a tenth, as in `Relay`. */
const looks = 10

/** Calls `expire` once nothing has moved for the time. Returns the function that calls it off. */
export const whenQuiet = ({ time, moved, isHeld, after, expire }: Options): (() => void) => {
  if (!Duration.isFinite(time)) return () => {}
  const pause = Duration.divideUnsafe(time, looks)
  let before = moved()
  let quiet = 0
  const look = () => {
    const now = moved()
    quiet = now === before && !isHeld() ? quiet + 1 : 0
    before = now
    if (quiet < looks) cancel = after(pause, look)
    else expire()
  }
  let cancel = after(pause, look)
  return () => cancel()
}
