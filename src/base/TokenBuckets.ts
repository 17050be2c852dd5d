/**
 * Token buckets by key: a number of tokens a second, and as many at once after a
 * second of rest.
 *
 * A full bucket needs no memory and is dropped when another bucket is used: there is
 * no timer, and there are at most as many buckets as were used in a second.
 */
export interface TokenBuckets {
  /**
   * Takes a token from the key's bucket, at this time in milliseconds. Returns how
   * many whole milliseconds there are to wait for one; 0 if it was there. Of a larger
   * `count`, as many are taken as there are.
   */
  readonly take: (key: string, perSecond: number, now: number, count?: number) => number
  /** Number of buckets in memory. */
  readonly size: () => number
}

interface Bucket {
  /** Tokens missing from a full bucket when one was taken last. */
  readonly missing: number
  readonly at: number
}

export const make = (): TokenBuckets => {
  /** In the order of their last use. */
  const buckets = new Map<string, Bucket>()

  const forget = (now: number) => {
    for (const [key, { at }] of buckets) {
      // If the clock was set back, too: the buckets would stay until the clock has caught up.
      if (now - at < 1000 && now >= at) return
      buckets.delete(key)
    }
  }

  return {
    take: (key, perSecond, now, count = 1) => {
      forget(now)
      const bucket = buckets.get(key)
      // At most `perSecond`, as the bucket may have been larger before.
      const missing = bucket
        ? Math.max(Math.min(bucket.missing, perSecond) - (perSecond * (now - bucket.at)) / 1000, 0)
        : 0
      const lacking = missing + 1 - perSecond
      if (lacking > tolerance) return Math.ceil((lacking / perSecond) * 1000 - tolerance)
      buckets.delete(key)
      buckets.set(key, {
        missing: missing + Math.min(count, Math.floor(perSecond - missing + tolerance)),
        at: now
      })
      return 0
    },
    size: () => buckets.size
  }
}

/** The rounding error of sums of fractions. */
const tolerance = 1e-6
