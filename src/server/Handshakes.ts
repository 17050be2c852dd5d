/**
 * Connections that are still in their handshake. Those who never finish one
 * leave room to those who do: all together by random early drop, and one address
 * alone by a limit of its own.
 */
import type { Values } from "../config/Config.ts"
import { TooManyHandshakes } from "../Errors.ts"
import * as Counts from "../policy/Counts.ts"
import * as EarlyDrop from "../policy/EarlyDrop.ts"

export interface Handshakes {
  /** Why no connection of this host is taken on, if none is. `lot` is a number from 0 to 1, drawn for it. */
  readonly refusal: (host: string, config: Values, lot: number) => TooManyHandshakes | undefined
  /** Why none of this host is, counted already as another's. */
  readonly refusalOf: (host: string, config: Values) => TooManyHandshakes | undefined
  readonly change: (host: string, by: 1 | -1) => void
}

/**
 * `room` is how many there can be where the configuration does not say. Of what
 * it says, this process has a part, if others have the rest.
 */
export const make = (room: number, part = 1): Handshakes => {
  const each = Counts.make()
  let count = 0

  const dropOf = ({ maxHandshakes }: Values) =>
    maxHandshakes === "auto" ? EarlyDrop.upTo(room) : EarlyDrop.partOf(maxHandshakes, part)

  const refusalOf = (host: string, config: Values) => {
    const limit = Math.ceil(dropOf(config).full / 2)
    return each.of(host) >= limit ? new TooManyHandshakes({ limit }) : undefined
  }

  return {
    refusal: (host, config, lot) => {
      const drop = dropOf(config)
      return lot < EarlyDrop.chance(count, drop)
        ? new TooManyHandshakes({ limit: drop.full })
        : refusalOf(host, config)
    },
    refusalOf,
    change: (host, by) => {
      each.change(host, by)
      count += by
    }
  }
}
