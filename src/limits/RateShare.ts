/**
 * The shares of limited rates: the member's side.
 */

import type { Share, ShareRequest } from "./RateAllocator.ts"
import type { RateShares } from "./RateShares.ts"

export interface RateShare extends RateShares {
  readonly receive: (share: Share) => void
}

interface Limit {
  readonly id: number
  readonly onChange: (share: number) => void
  isBusy: boolean
}

export const make = (send: (need: ShareRequest) => void): RateShare => {
  let count = 0
  const limits = new Map<string, Limit>()
  return {
    enter: (name, onChange) => {
      const id = ++count
      limits.set(name, { id, onChange, isBusy: true })
      send({ _tag: "enter", name, id })
    },
    demand: (name, isBusy) => {
      const limit = limits.get(name)
      if (limit === undefined || limit.isBusy === isBusy) return
      limit.isBusy = isBusy
      send({ _tag: "demand", name, isBusy })
    },
    leave: (name) => {
      limits.delete(name)
      send({ _tag: "leave", name })
    },
    receive: ({ name, id, turn, share }) => {
      const limit = limits.get(name)
      // A share for an earlier use: the member has left since, and has told the seat.
      if (limit?.id !== id) return
      limit.onChange(share)
      send({ _tag: "kept", name, turn })
    }
  }
}
