import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Calendar from "../Calendar.ts"
import type { RuleSymbols } from "../RuleSymbols.ts"
import * as TimeWindow from "../TimeWindow.ts"
import * as Condition from "./Condition.ts"
import type { Test } from "./Term.ts"

export const when = Condition.make({
  item: Condition.value<TimeWindow.TimeWindow>({
    read: TimeWindow.fromString,
    expected: "days and times such as mon-fri 08:00-18:00, sat,sun or 22:00-06:00"
  }),
  description: "When in the week",
  format: TimeWindow.format,
  term: {
    about: "request",
    // The time window and the time zone; without a zone, the machine's.
    numberOf: (window, symbols, { timezone }) =>
      symbols.intern(
        "time",
        `${TimeWindow.format(window)}${separator}${timezone ? DateTime.zoneToString(timezone) : ""}`
      ),
    valueOf: (number, symbols) => read(symbols.textOf(number)).window,
    test: (symbols) => testOf(symbols)
  },
  includes: (one, other) => TimeWindow.format(one) === TimeWindow.format(other),
  isNever: (windows) => windows.every(({ from, to }) => from === to)
})

const separator = "; "

const read = (text: string) => {
  const [window = "", zone = ""] = text.split(separator)
  return { window: Option.getOrThrow(TimeWindow.fromString(window)), zone }
}

/** With one clock for each time zone. */
const testOf = (symbols: RuleSymbols): Test => {
  const clocks = new Map<string, Calendar.Clock>()
  const tests = new Map<number, (now: number) => boolean>()

  const make = (number: number) => {
    const { window, zone } = read(symbols.textOf(number))
    const clock = clocks.get(zone) ?? Calendar.clock(zoneOf(zone))
    clocks.set(zone, clock)
    return (now: number) => Calendar.isIn(window, clock(now))
  }

  return (number, _, now) => {
    const test = tests.get(number) ?? make(number)
    tests.set(number, test)
    return test(now)
  }
}

const zoneOf = (text: string): DateTime.TimeZone =>
  text === "" ? DateTime.zoneMakeLocal() : Option.getOrThrow(DateTime.zoneFromString(text))
