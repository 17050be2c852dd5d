/**
 * When the next worker begins in the place of one that ended.
 */

/** Milliseconds before another try, which double up to the last; `alone` is the last where no worker serves. */
const delays = { first: 100, last: 10_000, alone: 1000 }

/**
 * Milliseconds to wait. `ends` are the workers of one place that ended since the
 * last of them began to serve. The first of those served, or is given another try.
 */
export const delayAfter = (ends: number, isAnyServing: boolean): number =>
  ends <= 1 ? 0 : Math.min(delays.first * 2 ** (ends - 2), isAnyServing ? delays.last : delays.alone)
