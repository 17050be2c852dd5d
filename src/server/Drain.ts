/**
 * The beginning of the drain, which connections can hear that tell their clients of it.
 */
import * as Context from "effect/Context"
import type { Event } from "../base/Abortable.ts"

export class Drain {
  private readonly waiting = new Set<() => void>()
  private hasBegun = false

  begin(): void {
    this.hasBegun = true
    for (const happen of this.waiting) happen()
  }

  readonly begun: Event = (happen) => {
    if (this.hasBegun) happen()
    else this.waiting.add(happen)
    return () => void this.waiting.delete(happen)
  }
}

/** The beginning of the drain of the server that a connection belongs to; without a server, it never comes. */
export const DrainBegun = Context.Reference<Event>("effect-socks/server/DrainBegun", {
  defaultValue: () => () => () => {}
})
