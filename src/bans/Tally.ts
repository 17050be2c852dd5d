/**
 * A tally of failed logins, and the delay that its failures cause.
 *
 * A tally whose failures are beyond the free ones delays the next attempt, for longer with each further failure. Some
 * attempts may go ahead of the delay: see `LoginThrottle`. If such an attempt fails, too, its delay is added for all
 * attempts.
 */

/** Failures of a network, or for a name. */
export interface Tally {
  /** Number of different guesses. */
  count: number
  /** The time of the last failure, in milliseconds since the epoch. */
  last: number
  /** Attempts are refused until this time. */
  until: number
  /** Attempts are refused until this time, even those that may go ahead of the delay. */
  early: number
}

/** The delay after the first failure that counts, and the longest one, in milliseconds. */
const delays = { first: 1000, last: 60_000 }

/** A tally without failures. */
export const empty = (now: number): Tally => ({ count: 0, last: now, until: 0, early: 0 })

/** Limits a delay to the longest one, as the clock may have been set back. */
export const isBefore = (now: number, until: number, longest: number): boolean =>
  now < until && until - now <= longest

/** Whether attempts have to wait. */
export const isDelayed = (tally: Tally | undefined, mayGoAhead: boolean, now: number): boolean =>
  tally !== undefined && isBefore(now, mayGoAhead ? tally.early : tally.until, 2 * delays.last)

/** Delays the next attempt, and those that may go ahead of the delay, if this attempt did. */
export const addDelay = (tally: Tally, free: number, mayGoAhead: boolean, now: number): void => {
  const delay = delayAfter(tally.count - free)
  if (delay === 0) return
  const wentAhead = mayGoAhead && isBefore(now, tally.until, 2 * delays.last)
  tally.until = Math.min((wentAhead ? tally.until : now) + delay, now + 2 * delays.last)
  if (wentAhead) tally.early = tally.until
}

/** Takes back this many failures. */
export const takeBack = (tally: Tally, count: number, free: number): void => {
  tally.count = Math.max(0, tally.count - count)
  if (tally.count >= free) return
  tally.until = 0
  tally.early = 0
}

const delayAfter = (beyond: number): number =>
  beyond < 0 ? 0 : Math.min(delays.first * 2 ** beyond, delays.last)
