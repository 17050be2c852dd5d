/**
 * What the limits of a fleet have in common: sessions, rates and bandwidth, at the seat of a machine.
 */
import { allowed, type Fault } from "./Faults.ts"
import type { Membership } from "./Membership.ts"

export abstract class FleetLimits<Member, Message> {
  protected readonly membership: Membership
  protected readonly fault: Fault
  protected readonly send: (member: Member, message: Message) => void

  constructor(membership: Membership, fault: Fault, send: (member: Member, message: Message) => void) {
    this.membership = membership
    this.fault = fault
    this.send = send
  }

  /** What this machine may use of a limit without a store. `had` is what it had last. */
  protected allowedOf(limit: number, had: number): number {
    return allowed(this.fault, limit, this.membership.machines, had)
  }
}
