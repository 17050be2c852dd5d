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

/** For room for so many: begins at half of it, with a chance of three in ten. */
export const upTo = (full: number): EarlyDrop => ({
  start: Math.max(Math.floor(full / 2), 1),
  rate: 30,
  full
})

/** For one of several processes that get about as many each. At most so many in all, but one for each. */
export const partOf = (drop: EarlyDrop, part: number): EarlyDrop =>
  part === 1
    ? drop
    : {
        start: Math.ceil(drop.start * part),
        rate: drop.rate,
        full: Math.max(Math.floor(drop.full * part), 1)
      }
