/**
 * Days and months of usage, in UTC. A day is written as `2026-11-22`, a month of the calendar as `2026-11`. The months of
 * quotas may begin on another day than the first.
 */

/** The day of a time in milliseconds since the epoch. */
export const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10)

/** Whether the text is a day of the calendar. */
export const isDay = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) && dayOf(Date.parse(text)) === text

/** The first day of the month of a quota that a day is in, if these months begin on the `resetDay`th. */
export const monthStart = (day: string, resetDay: number): string => {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number)
  return dayOf(Date.UTC(year, date < resetDay ? month - 2 : month - 1, resetDay))
}

/** The first day after the month of a quota that a day is in. */
export const nextMonthStart = (day: string, resetDay: number): string => {
  const [year = 0, month = 1] = monthStart(day, resetDay).split("-").map(Number)
  return dayOf(Date.UTC(year, month, resetDay))
}

/** The month of the calendar of a day. */
export const monthOf = (day: string): string => day.slice(0, 7)

/** Whether a day of usage is the sum of a month. */
export const isMonth = (day: string): boolean => day.length === 7

/** The first and the last month of which all days are from one day to another. There is none where the last is before. */
export const wholeMonths = (from: string, to: string): { readonly first: string; readonly last: string } => {
  const next = dayOf(Date.parse(to) + 86_400_000)
  return {
    first: monthOf(from.endsWith("-01") ? from : nextMonthStart(from, 1)),
    last: monthOf(dayOf(Date.parse(monthStart(next, 1)) - 1))
  }
}
