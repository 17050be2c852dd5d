/**
 * What the properties of a simulated fleet see of its history.
 */
import { assert } from "@effect/vitest"
import type { Fault } from "../../../src/fleet/Faults.ts"
import type { Fleet, Machine } from "../fleet.ts"

export interface Plan {
  readonly seed: number
  readonly machines: number
  readonly fault: Fault
  /** Seconds in which something goes wrong. */
  readonly seconds: number
  /** The part of the store's messages that is lost. */
  readonly missed: number
  /** How much the clocks of machines may be wrong: 0.01 is 1 %. */
  readonly drift: number
  /** Whether the store never forgets. */
  readonly remembers?: boolean
}

/** What a history has shown, to be summed up. Times are milliseconds. */
export interface Shown {
  readonly faults: Record<string, number>
  begun: number
  refused: number
  tokens: number
  bans: number
  bytes: number
  /** The most sessions in use by the limit, those of machines without a store among them. */
  most: number
  longestAnswer: number
  longestCalmAnswer: number
  /** The most that shares were in total: of machines that have had the store all along, and of all that have it. */
  heldShares: number
  shares: number
  /** The least that shares of machines in need were in total, when all was well. */
  leastShares: number
  /** The longest time until each machine had something, when all was well. */
  longestShareless: number
  longestTokenless: number
  /** The most tokens above what rate and burst allow, as a time of the rate. */
  ahead: number
  /** The longest time until all machines knew a ban. */
  longestUnbanned: number
  /** Bytes that the store counts too much or too little, where it has forgotten nothing. */
  miscounted: number
  scripts: number
  messages: number
}

export interface World {
  readonly plan: Plan
  readonly fleet: Fleet
  readonly random: () => number
  readonly pick: <A>(all: Iterable<A>) => A
  readonly shown: Shown
  /** Whether nothing goes wrong any more. */
  readonly isCalm: boolean
  readonly isStopped: (machine: Machine) => boolean
  /** When something has gone wrong last, anywhere. */
  readonly wrongAt: number
  /** When something has gone wrong last with a machine, or with its way to the store; infinite while it does. */
  readonly wrongWith: (machine: Machine) => number
  /** When something has gone wrong last with the store; infinite while it does. */
  readonly wrongWithStore: number
  /** When the store has forgotten something. */
  readonly forgotten: ReadonlyArray<number>
  /** Counts no longer the sessions of machines whose leases have ended: others may have their slots. */
  readonly uncount: () => void
  /** Lets time pass, and checks what always holds. */
  readonly step: (milliseconds: number) => void
  /** Lets time pass until something holds, but no more than this. */
  readonly stepUntil: (milliseconds: number, holds: () => boolean) => void
}

/** Milliseconds of a lease. */
export const lease = 6000

/** The longest way to the store, in milliseconds. */
export const slow = 400

/** The longest way to a member, whose machine has much to do. */
export const mostLag = 40

/** Whether the leases of a machine hold. One that stands still may not know that they have ended. */
export const hasStore = ({ membership }: Machine): boolean =>
  !membership.isLost && membership.now() < membership.validUntil

/** Checks a bound: an assertion is made only of what does not hold, as there are millions of checks in a history. */
export const atMost = (number: number, most: number, what: string): void => {
  if (!(number <= most)) assert.isAtMost(number, most, what)
}

/** The most that a machine without a store may begin to use of a limit. With `keep` it may have had all of it. */
export const mostAlone = ({ fault }: Plan, limit: number, { membership: { machines } }: Machine): number => {
  if (fault === "keep") return limit
  return fault === "deny" ? 0 : Math.max(Math.floor(limit / machines), 1)
}

/** What holds of one kind of limit, in every history. */
export interface Property {
  /** Uses it a bit. */
  readonly load: (machine: Machine) => void
  /** Checks what holds at any time. */
  readonly check: () => void
  /** Checks what holds when nothing goes wrong any more. Time passes. */
  readonly settle: () => void
  /** A machine is about to be gone. */
  readonly gone?: (machine: Machine) => void
}
