/**
 * The lines of one kind that the log gets: some of each source and a bounded
 * number of all, so that a flood does not fill the disk.
 */

export interface LineBudget {
  /** Whether this one gets a line, and how many of the period before it, now over, got none. */
  readonly note: (source: string, now: number) => { readonly isShown: boolean; readonly leftOut: number }
}

/** Lines in a period. */
export interface Most {
  /** Of each source. */
  readonly each: number
  /** Of all sources together. */
  readonly all: number
}

/** Milliseconds. */
export const period = 10_000

/** With a part of the lines, where others have the rest. */
export const make = (most: Most, part = 1): LineBudget => {
  let since = -Infinity
  let lines = 0
  let silent = 0
  // Never more of them than there are lines.
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
