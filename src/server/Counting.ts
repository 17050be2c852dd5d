/**
 * What is counted across all connections of a server, in this process or in
 * several that serve together.
 */
import * as Context from "effect/Context"

export interface Counting {
  /** A number that no other session has. */
  readonly nextId: () => number
}

/** Of this process alone. */
export const alone = (): Counting => {
  let count = 0
  return { nextId: () => ++count }
}

/** How counting begins: alone, unless it says otherwise. */
export const Counting = Context.Reference<() => Counting>("effect-socks/server/Counting", {
  defaultValue: () => alone
})
