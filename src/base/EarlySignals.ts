/**
 * Signals from the first moment on, while the program is still being loaded: none
 * of them ends the process, and none is lost. Imported before all else.
 */
const early: Array<NodeJS.Signals> = []
let current = (signal: NodeJS.Signals): void => void early.push(signal)

for (const signal of ["SIGHUP", "SIGINT", "SIGTERM", "SIGUSR2"] as const) {
  process.on(signal, () => current(signal))
}

/** From now on this is done with each, first with those that came before. */
export const heed = (take: (signal: NodeJS.Signals) => void): void => {
  current = take
  for (const signal of early.splice(0)) take(signal)
}
