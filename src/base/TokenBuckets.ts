/**
 * Token buckets, one for each key: so many a second, and as many at once after
 * a second of rest.
 *
 * A bucket that is full again is as if it had never been, and is forgotten when
 * others are used: no timer, and no more buckets than were used in a second.
 */
export interface TokenBuckets {
  /**
   * Takes a token from the key's bucket, at this time in milliseconds. Returns how
   * many whole milliseconds there are to wait for one; 0 if it was there.
   */
  readonly take: (key: string, perSecond: number, now: number) => number
  /** How many buckets are remembered. */
  readonly size: () => number
}

interface Bucket {
  /** Tokens that were missing from it when one was taken last. */
  readonly missing: number
  readonly at: number
}

export const make = (): TokenBuckets => {
  /** The one used last is the last. */
  const buckets = new Map<string, Bucket>()

  const forget = (now: number) => {
    for (const [key, { at }] of buckets) {
      // Also when the clock was set back, or they would stay until it is there again.
      if (now - at < 1000 && now >= at) return
      buckets.delete(key)
    }
  }

  return {
    take: (key, perSecond, now) => {
      forget(now)
      const bucket = buckets.get(key)
      // At most all of them, if the bucket was larger before.
      const missing = bucket
        ? Math.max(Math.min(bucket.missing, perSecond) - (perSecond * (now - bucket.at)) / 1000, 0)
        : 0
      const lacking = missing + 1 - perSecond
      if (lacking > tolerance) return Math.ceil((lacking / perSecond) * 1000 - tolerance)
      buckets.delete(key)
      buckets.set(key, { missing: missing + 1, at: now })
      return 0
    },
    size: () => buckets.size
  }
}

/** What sums of fractions are off by. */
const tolerance = 1e-6
