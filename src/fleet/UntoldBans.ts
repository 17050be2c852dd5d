/**
 * Bans and liftings that the fleet's store is not told of yet, and networks of which it has forgotten something.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import type { Update } from "../bans/BanDecisions.ts"
import { networkOf } from "../bans/BanUpdate.ts"

/** The most bans of a batch, and the most that wait for a store that is away, the last ones. */
const mostBans = 4096
const mostWaiting = 32_768

export type BanUpdate = Extract<Update, { readonly _tag: "ban" }>

export interface Taken {
  /** New bans, by network. */
  readonly bans: ReadonlyMap<string, BanUpdate>
  /** Networks whose bans are lifted, with those of the bans. */
  readonly lifts: ReadonlyMap<string, ReadonlyArray<string>>
  /** Networks on which the store has no word, or an older one. */
  readonly again: ReadonlySet<string>
}

export interface UntoldBans {
  readonly ban: (update: BanUpdate) => void
  /** `networks` has those of the bans that end with this, and the lifted one itself. */
  readonly lift: (network: string, networks: ReadonlyArray<string>) => void
  /** The networks of which the store is told again, instead of those before. */
  readonly repeat: (networks: Iterable<string>) => void
  /** Whether a new ban or a lift of this network waits to be told, or is on its way. */
  readonly has: (network: string) => boolean
  /** Whether bans wait that the last batch did not have. */
  readonly hasBans: () => boolean
  /** Takes what waits, of many bans a part. It is on its way until `told` or `putBack` is called. */
  readonly take: () => Taken
  /** The store has what was taken. */
  readonly told: () => void
  /** What was taken could not be told: it waits again, except where something newer is there. */
  readonly putBack: () => void
}

export const make = (): UntoldBans => {
  let bans = new Map<string, BanUpdate>()
  let lifts = new Map<string, ReadonlyArray<string>>()
  let again = new Set<string>()
  let sending: Taken | undefined

  const isLifted = (network: string) =>
    [...lifts.keys(), ...(sending?.lifts.keys() ?? [])].some((lift) =>
      IpNetwork.overlaps(networkOf(lift), networkOf(network))
    )

  return {
    ban: (update) => {
      bans.set(update.network, update)
      if (bans.size > mostWaiting) bans.delete(bans.keys().next().value!)
      again.delete(update.network)
    },
    lift: (network, networks) => {
      for (const one of networks) {
        bans.delete(one)
        again.delete(one)
      }
      lifts.set(network, networks)
    },
    repeat: (networks) => {
      again = new Set(networks)
    },
    has: (network) => bans.has(network) || (sending?.bans.has(network) ?? false) || isLifted(network),
    hasBans: () => bans.size > 0,
    take: () => {
      const [first, left] = cut([...bans])
      const [firstAgain, leftAgain] = cut([...again])
      sending = { bans: new Map(first), lifts, again: new Set(firstAgain) }
      bans = new Map(left)
      lifts = new Map()
      again = new Set(leftAgain)
      return sending
    },
    told: () => {
      sending = undefined
    },
    putBack: () => {
      if (sending === undefined) return
      // A ban that was made since a lift holds.
      const lifted = new Set([...lifts.values()].flat())
      bans = new Map([...[...sending.bans].filter(([network]) => !lifted.has(network)), ...bans])
      lifts = new Map([...sending.lifts, ...lifts])
      again = new Set([...sending.again, ...again])
      sending = undefined
    }
  }
}

/** What one batch has of many, and what waits. */
const cut = <A>(all: ReadonlyArray<A>): readonly [taken: ReadonlyArray<A>, left: ReadonlyArray<A>] => [
  all.slice(0, mostBans),
  all.slice(mostBans)
]
