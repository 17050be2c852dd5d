import * as DateTime from "effect/DateTime"
import * as Calendar from "../Calendar.ts"
import * as TimeWindow from "../TimeWindow.ts"
import * as Condition from "./Condition.ts"

export const when = Condition.make({
  item: Condition.value<TimeWindow.TimeWindow>({
    is: (u): u is TimeWindow.TimeWindow => Condition.isObject(u),
    read: TimeWindow.fromString,
    write: TimeWindow.format,
    expected: "days and times such as mon-fri 08:00-18:00, sat,sun or 22:00-06:00"
  }),
  description: "When in the week",
  format: TimeWindow.format,
  holds: (window: TimeWindow.TimeWindow, _, { now, timezone }) =>
    Calendar.isIn(window, Calendar.clock(timezone ?? DateTime.zoneMakeLocal())(now)),
  includes: (one, other) => TimeWindow.format(one) === TimeWindow.format(other)
})
