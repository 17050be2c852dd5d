/**
 * Bandwidth limits that several processes share: each has a part of the rate, and
 * the parts never add up to more than the limit.
 */
import * as Context from "effect/Context"

export interface RateShares {
  /** Begins to use a limit, with a share of 0. `onChange` gets the share, from 0 to 1, each time that it changes. */
  readonly enter: (name: string, onChange: (share: number) => void) => void
  /** Reports whether this process needs all of its share. */
  readonly demand: (name: string, isBusy: boolean) => void
  /** Ends the use of a limit. */
  readonly leave: (name: string) => void
}

/** Undefined where one process has all of each rate. */
export const RateShares = Context.Reference<RateShares | undefined>("effect-socks/limits/RateShares", {
  defaultValue: () => undefined
})
