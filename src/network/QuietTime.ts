/**
 * Finds out that nothing has moved for a time.
 */
import * as Duration from "effect/Duration"

export interface Quietable {
  /** A number that grows when something moves. */
  readonly moved: number
  /** Whether what moves waits for bandwidth, which is not quiet. */
  readonly isHeld: boolean
  /** Nothing has moved for the time. */
  readonly quiet: () => void
}

/** The number of looks in the time, which is so kept to a tenth, as in `Relay`. */
const looks = 10

/**
 * Calls `quiet` once nothing has moved for the time. `after` calls back after a time, and returns the function that calls
 * it off. So does this.
 */
export const whenQuiet = (
  time: Duration.Duration,
  watched: Quietable,
  after: (time: Duration.Duration, then: () => void) => () => void
): (() => void) => {
  if (!Duration.isFinite(time)) return () => {}
  const pause = Duration.divideUnsafe(time, looks)
  let before = watched.moved
  let quiet = 0
  const look = () => {
    const now = watched.moved
    quiet = now === before && !watched.isHeld ? quiet + 1 : 0
    before = now
    if (quiet < looks) cancel = after(pause, look)
    else watched.quiet()
  }
  let cancel = after(pause, look)
  return () => cancel()
}
