/**
 * Which machine leads, by the logs of real servers of a fleet.
 */
import type * as Effect from "effect/Effect"
import type { Program } from "./program.ts"
import { until } from "./until.ts"

interface Machine {
  readonly program: Pick<Program, "lines">
}

/** How often this was logged. */
export const times = ({ program }: Machine, message: string): number =>
  program.lines().filter((line) => line.message === message).length

/** How often it has led, but does not any longer. */
export const ended = (machine: Machine): number => times(machine, "this machine leads its fleet no longer")

export const leads = (machine: Machine): boolean =>
  times(machine, "this machine leads its fleet") > ended(machine)

/** The only one that leads, when it is. */
export const leaderOf = <Of extends Machine>(machines: ReadonlyArray<Of>): Effect.Effect<Of> =>
  until(() => {
    const [leader, ...others] = machines.filter(leads)
    return others.length === 0 && leader
  })
