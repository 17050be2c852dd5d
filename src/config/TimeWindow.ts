/**
 * A part of every week, as it is written in rules:
 *
 *     mon-fri 08:00-18:00
 *     sat,sun
 *     22:00-06:00              every day, until the next morning
 *     fri 22:00-06:00          until Saturday morning
 *     mon-thu,sat 09:30-24:00
 */
import * as Option from "effect/Option"

export interface TimeWindow {
  /** The days on which the window begins: Monday is 0, each day once, ascending. */
  readonly days: ReadonlyArray<number>
  /** Minutes from midnight; 0 to 1439. */
  readonly from: number
  /**
   * Minutes from midnight, exclusive; 0 to 1440. If less than `from`, on the next day; if equal, the window is empty.
   */
  readonly to: number
}

/** Parses one of the forms above. */
export const fromString = (text: string): Option.Option<TimeWindow> => {
  const [, first = "", second] = /^(\S+)(?: +(\S+))?$/.exec(text.toLowerCase()) ?? []
  const isTimeAlone = second === undefined && first.includes(":")
  const days = isTimeAlone ? everyDay : daysOf(first)
  const times = isTimeAlone ? timesOf(first) : second === undefined ? wholeDay : timesOf(second)
  return days && times ? Option.some({ days, from: times[0], to: times[1] }) : Option.none()
}

/** The text that `fromString` reads. */
export const format = ({ days, from, to }: TimeWindow): string => {
  const isAllDay = from === 0 && to === 1440
  const isEveryDay = days.length === 7
  return [
    ...(isEveryDay && !isAllDay ? [] : [isEveryDay ? "mon-sun" : days.map((day) => names[day]).join(",")]),
    ...(isAllDay ? [] : [`${formatTime(from)}-${formatTime(to)}`])
  ].join(" ")
}

const names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

const everyDay: ReadonlyArray<number> = [0, 1, 2, 3, 4, 5, 6]

const wholeDay = [0, 1440] as const

/** `mon-fri`, `sat,sun`, `fri-mon`. */
const daysOf = (text: string): ReadonlyArray<number> | undefined => {
  const found = new Set<number>()
  for (const part of text.split(",")) {
    const [first = -1, last = first, ...more] = part.split("-").map((name) => names.indexOf(name))
    if (first === -1 || last === -1 || more.length > 0) return undefined
    for (let day = first; day !== last; day = (day + 1) % 7) found.add(day)
    found.add(last)
  }
  return everyDay.filter((day) => found.has(day))
}

/** `08:00-18:00`. */
const timesOf = (text: string): readonly [from: number, to: number] | undefined => {
  const [, h1, m1, h2, m2] =
    /^([01]?\d|2[0-3]):([0-5]\d)-(?:([01]?\d|2[0-3]):([0-5]\d)|24:00)$/.exec(text) ?? []
  if (h1 === undefined) return undefined
  return [Number(h1) * 60 + Number(m1), h2 === undefined ? 1440 : Number(h2) * 60 + Number(m2)]
}

const formatTime = (minutes: number): string =>
  [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, "0")).join(":")
