/**
 * The shares of a limited rate: the seat's side.
 *
 * Members that use a limit share it in equal parts, but those that need less than
 * their parts leave nearly all to the others. A share is granted only after the
 * member that had it has confirmed that it uses less.
 */

/** From a member. */
export type ShareRequest =
  /** The member begins to use a limit, and has no share of it yet. `id` is of the member's choice and comes back with each share. */
  | { readonly _tag: "enter"; readonly name: string; readonly id: number }
  | { readonly _tag: "demand"; readonly name: string; readonly isBusy: boolean }
  | { readonly _tag: "leave"; readonly name: string }
  /** The member keeps to the share of this turn from now on. */
  | { readonly _tag: "kept"; readonly name: string; readonly turn: number }

/** To a member: the share of the limit that the member may use, from 0 to 1. `id` is that of its `enter`. */
export interface Share {
  readonly _tag: "share"
  readonly name: string
  readonly id: number
  readonly turn: number
  readonly share: number
}

export interface RateAllocator<in Member> {
  readonly receive: (member: Member, need: ShareRequest) => void
  /** Removes a member that has ended. */
  readonly remove: (member: Member) => void
}

interface Holding {
  readonly id: number
  /** The most that the member may be using: a smaller share counts only when the member has confirmed it. */
  share: number
  /** The share that was sent last, and its turn. */
  sent: number
  turn: number
  isBusy: boolean
}

/**
 * The parts of a member that needs all of its share, and of one that does not, where there are so many of them. One that
 * does not has an eighth of an equal part to begin with, and all of them together have at most a twentieth.
 */
export const partsOf = (busy: number, idle: number): { readonly busy: number; readonly idle: number } => {
  const part = busy > 0 ? Math.min(1 / (8 * (busy + idle)), 1 / (20 * idle)) : 1 / idle
  return { busy: (1 - idle * part) / busy, idle: part }
}

/** The rounding error of sums of fractions. */
const tolerance = 1e-9

export const make = <Member>(send: (member: Member, share: Share) => void): RateAllocator<Member> => {
  let turns = 0
  const limits = new Map<string, Map<Member, Holding>>()

  const reallocate = (name: string, holdings: Map<Member, Holding>) => {
    if (holdings.size === 0) return void limits.delete(name)
    let free = 1
    let busy = 0
    for (const { share, isBusy } of holdings.values()) {
      free -= share
      if (isBusy) busy++
    }
    const parts = partsOf(busy, holdings.size - busy)
    // Members that get less come first.
    const all = Array.from(holdings, ([member, holding]) => ({
      member,
      holding,
      target: holding.isBusy ? parts.busy : parts.idle
    }))
    for (const { member, holding, target } of all.sort((one, other) => less(one) - less(other))) {
      const share = Math.min(target, holding.share + Math.max(free, 0))
      if (Math.abs(share - holding.sent) < tolerance) continue
      if (share > holding.share) {
        free -= share - holding.share
        holding.share = share
      }
      holding.sent = share
      holding.turn = ++turns
      send(member, { _tag: "share", name, id: holding.id, turn: turns, share })
    }
  }

  return {
    receive: (member, need) => {
      const { name } = need
      const holdings = limits.get(name) ?? new Map<Member, Holding>()
      const holding = holdings.get(member)
      limits.set(name, holdings)
      switch (need._tag) {
        case "enter":
          holdings.set(member, { id: need.id, share: 0, sent: 0, turn: 0, isBusy: true })
          break
        case "demand":
          if (holding) holding.isBusy = need.isBusy
          break
        case "leave":
          holdings.delete(member)
          break
        case "kept":
          // A later share is not confirmed by this.
          if (holding?.turn === need.turn) holding.share = holding.sent
          break
      }
      reallocate(name, holdings)
    },
    remove: (member) => {
      for (const [name, holdings] of [...limits]) {
        if (holdings.delete(member)) reallocate(name, holdings)
      }
    }
  }
}

const less = ({ holding, target }: { readonly holding: Holding; readonly target: number }): number =>
  target - holding.share
