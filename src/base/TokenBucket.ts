/**
 * A token bucket: how many bytes may pass, filled at a steady rate.
 *
 * What was read is passed on whole, so a bucket can fall into debt. That is paid
 * off before more passes, which keeps the rate right however large the pieces.
 */

export interface TokenBucket {
  /** Bytes a second. */
  rate: number
  /** The same, with what other processes have of it now. */
  whole: number
  /** Bytes that may pass now; below zero, those that passed before their time. */
  tokens: number
  /** In milliseconds, up to when it has been filled. */
  filledAt: number
  /** How many wait for it, or for another that they need as well. */
  waiting: number
}

/** Seconds' worth that an unused bucket holds. */
const burst = 0.25

/** The same while a flow waits: tokens that a busy machine is late with are not lost. */
const backlog = 1

/** A full one. */
export const make = (rate: number, now: number): TokenBucket => ({
  rate,
  whole: rate,
  tokens: rate * burst,
  filledAt: now,
  waiting: 0
})

/** Fills it up to now. */
export const fill = (bucket: TokenBucket, now: number): void => {
  const { rate, tokens, filledAt, waiting } = bucket
  const most = rate * (waiting > 0 ? backlog : burst)
  bucket.tokens = Math.min(tokens + ((now - filledAt) / 1000) * rate, most)
  bucket.filledAt = now
}

/** Goes on at another rate. Debts stay. */
export const setRate = (bucket: TokenBucket, rate: number, now: number): void => {
  fill(bucket, now)
  bucket.rate = rate
  fill(bucket, now)
}

export const isHalfFull = ({ tokens, rate }: TokenBucket): boolean => tokens >= (rate * burst) / 2

export const isFull = ({ tokens, rate }: TokenBucket): boolean => tokens >= rate * burst
