/**
 * The delay before a worker is started in the place of one that ended.
 */

/** Milliseconds before another try, which double from `first` to `last`, or to `alone` where no worker serves. */
const delays = { first: 100, last: 10_000, alone: 1000 }

/**
 * Milliseconds to wait. `ends` is the number of workers of one place that ended since
 * the last of them began to serve. After the first end there is no delay.
 */
export const delayAfter = (ends: number, isAnyServing: boolean): number =>
  ends <= 1 ? 0 : Math.min(delays.first * 2 ** (ends - 2), isAnyServing ? delays.last : delays.alone)
