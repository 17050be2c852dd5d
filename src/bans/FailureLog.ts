/**
 * The failed logins that get a line in the log: a few of each network and a
 * bounded number of all, so that a flood does not fill the disk.
 */

export interface FailureLog {
  /** Whether this one gets a line, and how many of the period before it, now over, got none. */
  readonly note: (network: string, now: number) => { readonly isShown: boolean; readonly leftOut: number }
}

/** Milliseconds, and lines in that time. */
export const period = 10_000
const most = { each: 5, all: 50 }

/** With a part of the lines, where others have the rest. */
export const make = (part = 1): FailureLog => {
  let since = -Infinity
  let lines = 0
  let silent = 0
  // Never more of them than there are lines.
  const byNetwork = new Map<string, number>()
  return {
    note: (network, now) => {
      let leftOut = 0
      if (now - since >= period || now < since) {
        leftOut = silent
        since = now
        lines = 0
        silent = 0
        byNetwork.clear()
      }
      const own = byNetwork.get(network) ?? 0
      const isShown = lines < most.all * part && own < most.each * part
      if (isShown) {
        lines++
        byNetwork.set(network, own + 1)
      } else silent++
      return { isShown, leftOut }
    }
  }
}
