/**
 * Signals while the program is still being loaded: none of them ends the process, and
 * none is lost. Imported before everything else.
 */
const early: Array<NodeJS.Signals> = []
let current = (signal: NodeJS.Signals): void => void early.push(signal)

for (const signal of ["SIGHUP", "SIGINT", "SIGTERM", "SIGUSR2"] as const) {
  process.on(signal, () => current(signal))
}

/** Calls `take` with each signal from now on, and first with those that came before. */
export const handleSignals = (take: (signal: NodeJS.Signals) => void): void => {
  current = take
  for (const signal of early.splice(0)) take(signal)
}
