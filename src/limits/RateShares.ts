/**
 * Limits that several processes keep together: each has a share of the rate, and
 * the shares never come to more than the whole.
 */
import * as Context from "effect/Context"

export interface RateShares {
  /** This process begins to use a limit. `onChange` gets its share, from 0 to 1, when it is another; it begins with none. */
  readonly enter: (name: string, onChange: (share: number) => void) => void
  /** It has use for all of its share, or has not. */
  readonly demand: (name: string, isBusy: boolean) => void
  /** It uses the limit no longer. */
  readonly leave: (name: string) => void
}

/** Nothing where one process has all. */
export const RateShares = Context.Reference<RateShares | undefined>("effect-socks/limits/RateShares", {
  defaultValue: () => undefined
})
