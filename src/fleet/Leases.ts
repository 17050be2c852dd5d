/**
 * What the membership of a machine needs of its leases.
 */

/** What is leased from the store of a fleet, of one kind. */
export interface Leases {
  /** Renews all leases. `done` is called once, with whether the store has renewed all of them. */
  readonly renew: (done: (areRenewed: boolean) => void) => void
  /** The leases hold no longer. What is in use is reported by the next renewal, if there is a store; nothing else is leased. */
  readonly surrender: () => void
  /** There is no store. */
  readonly lose: () => void
  /**
   * The leases that are held end at this time, in milliseconds of the machine's monotonic clock; `Infinity` where the machine is
   * without a store and goes by its rule for that.
   */
  readonly hold?: (until: number) => void
  /** There is a new connection, maybe to a store that has forgotten what it was told. */
  readonly connected?: () => void
}
