/**
 * How much memory the datagrams of one user may take, in all associations
 * together: what is remembered of destinations, and what waits.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What one association may use. */
export interface Room {
  /** Whether one destination more may be remembered. */
  readonly hasPlaces: () => boolean
  /** So many more are remembered, or fewer. */
  readonly changePlaces: (by: number) => void
  /** Keeps so many bytes, or says that there is no room for them. */
  readonly take: (bytes: number) => boolean
  readonly giveBack: (bytes: number) => void
}

export interface DatagramBudget {
  /** That of an association of this owner, until the scope closes. */
  readonly enter: (owner: string) => Effect.Effect<Room, never, Scope.Scope>
}

/** Destinations of an owner, beyond the few that each association has anyhow. */
const placeLimit = 8192

/** Bytes of an owner that wait. */
const byteLimit = 4 * 1024 * 1024

/** Bytes of one association that wait: a few of the largest datagrams. */
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
      // What the system has been given comes back later than the association ends.
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
