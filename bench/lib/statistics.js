// Medians, and ratios of what was measured in the same round.

/** @param {readonly number[]} values @returns {number | undefined} nothing of nothing */
export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  if (sorted.length === 0) return undefined
  if (sorted.length % 2 === 1) return sorted[Math.floor(middle)]
  return (Number(sorted[middle - 1]) + Number(sorted[middle])) / 2
}

/**
 * @typedef {{ readonly round: number, readonly server: string, readonly measure: string,
 *   readonly figures?: Readonly<Record<string, number>>, readonly failure?: string }} Run
 */

/** @param {readonly Run[]} runs @param {string} server @param {string} measure @param {string} field */
export const medianOf = (runs, server, measure, field) =>
  median(runs.flatMap((run) => (isOf(run, server, measure) ? (run.figures?.[field] ?? []) : [])))

/**
 * How many times a server's figure is another's: the median over rounds, in each of
 * which both had the same neighbours on the machine.
 *
 * @param {readonly Run[]} runs @param {string} server @param {string} other @param {string} measure @param {string} field
 */
export const ratioOf = (runs, server, other, measure, field) =>
  median(
    runs.flatMap((run) => {
      const beside = runs.find(({ round, ...it }) => round === run.round && isOf(it, other, measure))
      const [mine, its] = [run.figures?.[field], beside?.figures?.[field]]
      return isOf(run, server, measure) && mine !== undefined && its ? [mine / its] : []
    })
  )

/** @param {{ readonly server: string, readonly measure: string }} run @param {string} server @param {string} measure */
const isOf = (run, server, measure) => run.server === server && run.measure === measure
