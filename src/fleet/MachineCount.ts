/**
 * The number of machines, as one of them sees it. Fewer machines count only when a whole lease has shown no more, as a store
 * that has forgotten shows too few.
 */
export class MachineCount {
  machines: number
  private readonly lease: number
  /** Since when fewer machines were seen. */
  private fewerSince: number | undefined

  /** `lease` is the time of a lease in milliseconds, `machines` the number that was known before. */
  constructor(lease: number, machines = 1) {
    this.lease = lease
    this.machines = machines
  }

  /** Takes what the store says at this time, in milliseconds. */
  see(machines: number, now: number): void {
    const isFewer = machines < this.machines
    if (isFewer) this.fewerSince ??= now
    if (isFewer && now - this.fewerSince! <= this.lease) return
    this.machines = Math.max(machines, 1)
    this.fewerSince = undefined
  }
}
