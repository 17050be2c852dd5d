/**
 * The memory budget of each owner, for all its associations together: remembered destinations, and bytes of waiting
 * datagrams.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The budget of one association. */
export interface Room {
  /** Whether another destination may be remembered. */
  readonly hasPlaces: () => boolean
  /** Changes the number of remembered destinations. */
  readonly changePlaces: (by: number) => void
  /** Reserves bytes; returns false if the budget does not allow them. */
  readonly take: (bytes: number) => boolean
  readonly giveBack: (bytes: number) => void
}

export interface DatagramBudget {
  /** The budget of a new association of this owner, until the scope closes. */
  readonly enter: (owner: string) => Effect.Effect<Room, never, Scope.Scope>
}

/** The most remembered destinations of an owner, beyond the few that each association may have anyway. */
const placeLimit = 8192

/** The most waiting bytes of an owner. */
const byteLimit = 4 * 1024 * 1024

/** The most waiting bytes of one association: a few datagrams of the largest size. */
const ownByteLimit = 256 * 1024

interface Used {
  associations: number
  places: number
  bytes: number
}

export const make = (): DatagramBudget => {
  const owners = new Map<string, Used>()

  const roomOf = (owner: string) => {
    const all = owners.get(owner) ?? { associations: 0, places: 0, bytes: 0 }
    owners.set(owner, all)
    all.associations++
    const own = { places: 0, bytes: 0 }
    let isOpen = true
    const change = (kind: keyof typeof own, by: number) => {
      // The system can still hold datagrams when the association ends, and reports them later.
      if (!isOpen) return
      own[kind] += by
      all[kind] += by
    }
    const leave = () => {
      change("places", -own.places)
      change("bytes", -own.bytes)
      isOpen = false
      if (--all.associations === 0) owners.delete(owner)
    }
    const room: Room = {
      hasPlaces: () => all.places < placeLimit,
      changePlaces: (by) => change("places", by),
      take: (bytes) => {
        if (own.bytes + bytes > ownByteLimit || all.bytes + bytes > byteLimit) return false
        change("bytes", bytes)
        return true
      },
      giveBack: (bytes) => change("bytes", -bytes)
    }
    return { room, leave }
  }

  return {
    enter: (owner) =>
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => roomOf(owner)),
          ({ leave }) => Effect.sync(leave)
        ),
        ({ room }) => room
      )
  }
}
