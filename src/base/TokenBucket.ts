/**
 * A token bucket: how many bytes may pass, filled at a steady rate.
 *
 * Bytes that were read are passed on whole, so a bucket can be in debt. The debt is
 * paid off before more bytes pass, which keeps the rate right for pieces of any size.
 */

export interface TokenBucket {
  /** Bytes a second. */
  rate: number
  /** The rate of all processes together. */
  whole: number
  /** Bytes that may pass now; below zero, the debt. */
  tokens: number
  /** The time up to which the bucket was filled, in milliseconds. */
  filledAt: number
  /** Number of flows that wait for this bucket, or for another bucket that they need, too. */
  waiting: number
}

/** Seconds of the rate that a bucket holds. */
const burst = 0.25

/** The same while a flow waits: a timer that is late on a busy machine loses no tokens. */
const backlog = 1

/** A full bucket. */
export const make = (rate: number, now: number): TokenBucket => ({
  rate,
  whole: rate,
  tokens: rate * burst,
  filledAt: now,
  waiting: 0
})

/** Fills a bucket up to this time. */
export const fill = (bucket: TokenBucket, now: number): void => {
  const { rate, tokens, filledAt, waiting } = bucket
  const most = rate * (waiting > 0 ? backlog : burst)
  bucket.tokens = Math.min(tokens + ((now - filledAt) / 1000) * rate, most)
  bucket.filledAt = now
}

/** Changes the rate. A debt stays. */
export const setRate = (bucket: TokenBucket, rate: number, now: number): void => {
  fill(bucket, now)
  bucket.rate = rate
  fill(bucket, now)
}

export const isHalfFull = ({ tokens, rate }: TokenBucket): boolean => tokens >= (rate * burst) / 2

export const isFull = ({ tokens, rate }: TokenBucket): boolean => tokens >= rate * burst
