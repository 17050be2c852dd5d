/**
 * The limits that the machines of a fleet have set differently: each machine judges by its own, so the largest holds.
 */
import type { Difference } from "./Api.ts"

/** The limits of a machine, as settings are written. */
export interface MachineLimits {
  readonly machine: string
  readonly limits: ReadonlyArray<{ readonly name: string; readonly value: string }>
}

/** Limits that each machine has for itself. */
const own: ReadonlySet<string> = new Set(["max-handshakes"])

/** In the order of the first machine, with the machines of each value. What a machine does not tell of is no difference. */
export const of = (machines: ReadonlyArray<MachineLimits>): ReadonlyArray<Difference> => {
  const all = new Map<string, Map<string, Array<string>>>()
  for (const { machine, limits } of machines) {
    for (const { name, value } of limits) {
      if (own.has(name)) continue
      const values = all.get(name) ?? new Map<string, Array<string>>()
      values.set(value, [...(values.get(value) ?? []), machine])
      all.set(name, values)
    }
  }
  return Array.from(all, ([name, values]) => ({
    name,
    values: Array.from(values, ([value, machines]) => ({ value, machines }))
  })).filter(({ values }) => values.length > 1)
}

/** As a sentence. */
export const sentence = ({ name, values }: Difference): string =>
  `${name} is ${values.map(({ value, machines }) => `${value} on ${machines.join(", ")}`).join(", and ")}`
