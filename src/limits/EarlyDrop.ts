/**
 * Random early drop, as OpenSSH's MaxStartups: the more connections are open, the
 * likelier a new one is dropped, so that idle connections cannot lock others out.
 */
import type { EarlyDrop } from "../config/Parsers.ts"

/** The probability, from 0 to 1, that a new connection is dropped when `count` are open. */
export const chance = (count: number, { start, rate, full }: EarlyDrop): number => {
  if (count < start) return 0
  if (count >= full) return 1
  return (rate + ((100 - rate) * (count - start)) / (full - start)) / 100
}

/** Drops 30 % from half of `full` on, rising to all at `full`. */
export const upTo = (full: number): EarlyDrop => ({
  start: Math.max(Math.floor(full / 2), 1),
  rate: 30,
  full
})

/**
 * The thresholds of one of several processes that get about as many connections each. `part` is its part, from 0 to 1.
 * The limits of all processes add up to at most `full`, or to one connection each.
 */
export const partOf = (drop: EarlyDrop, part: number): EarlyDrop =>
  part === 1
    ? drop
    : {
        start: Math.ceil(drop.start * part),
        rate: drop.rate,
        full: Math.max(Math.floor(drop.full * part), 1)
      }
