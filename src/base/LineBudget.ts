/**
 * A budget of log lines of one kind: a number for each source and a number in all,
 * so that a flood does not fill the disk.
 */

export interface LineBudget {
  /** Whether an event is logged, and the number of events in the period that has just ended that were not. */
  readonly note: (source: string, now: number) => { readonly isShown: boolean; readonly leftOut: number }
}

/** Number of lines in a period. */
export interface Most {
  /** Of each source. */
  readonly each: number
  /** Of all sources together. */
  readonly all: number
}

/** The length of a period in milliseconds. */
export const period = 10_000

/** `part`, from 0 to 1, is the part of the lines that this process may write. */
export const make = (most: Most, part = 1): LineBudget => {
  let since = -Infinity
  let lines = 0
  let silent = 0
  // At most as many entries as lines.
  const bySource = new Map<string, number>()
  return {
    note: (source, now) => {
      let leftOut = 0
      if (now - since >= period || now < since) {
        leftOut = silent
        since = now
        lines = 0
        silent = 0
        bySource.clear()
      }
      const own = bySource.get(source) ?? 0
      const isShown = lines < most.all * part && own < most.each * part
      if (isShown) {
        lines++
        bySource.set(source, own + 1)
      } else silent++
      return { isShown, leftOut }
    }
  }
}
