/**
 * Whether a moment is in a part of the week, in the local time of a zone.
 */
import * as DateTime from "effect/DateTime"
import type { TimeWindow } from "./TimeWindow.ts"

const day = 1440
const week = 7 * day

/** Minutes since Monday, 00:00, by the clocks in a zone. */
export type Clock = (now: number) => number

/** Computes the zone's offset once in a quarter of an hour, because offsets change only at quarters. */
export const clock = (zone: DateTime.TimeZone): Clock => {
  let quarter = Number.NaN
  let offset = 0
  return (now) => {
    if (Math.floor(now / 900_000) !== quarter) {
      quarter = Math.floor(now / 900_000)
      offset = DateTime.zonedOffset(DateTime.makeZonedUnsafe(quarter * 900_000, { timeZone: zone }))
    }
    // The epoch began on a Thursday.
    const minutes = Math.floor((now + offset) / 60_000) + 3 * day
    return ((minutes % week) + week) % week
  }
}

/** Whether a minute of the week is in a window. */
export const isIn = ({ days, from, to }: TimeWindow, minute: number): boolean => {
  const length = to < from ? to - from + day : to - from
  return days.some((start) => (minute - start * day - from + 2 * week) % week < length)
}
