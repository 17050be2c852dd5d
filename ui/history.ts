/**
 * The traffic of the last minutes: each look brings its end only.
 */
import type { Sample } from "./api.ts"

/** Fifteen minutes. */
const most = 450

/** The history with the samples behind its last one; undefined if some between them are missing. */
export const joined = (
  history: ReadonlyArray<Sample>,
  samples: ReadonlyArray<Sample>
): ReadonlyArray<Sample> | undefined => {
  const [first, last] = [samples[0], history.at(-1)]
  if (first === undefined || last === undefined || first.at > last.at) return undefined
  return [...history, ...samples.filter(({ at }) => at > last.at)].slice(-most)
}
