/**
 * Bytes that are charged to the quotas of accounts, as long as a lifetime lasts.
 */
import type { Traffic } from "../network/Relay.ts"
import type { Account } from "./LimitKeys.ts"
import { isQuota, type Quotas } from "./Quotas.ts"

/** Times are milliseconds since the epoch. */
export class ByteCharge {
  accounts: ReadonlyArray<Account>
  private readonly traffic: Traffic
  private readonly endsAt: number
  /** Bytes of the traffic that were charged, or that are not to be charged. */
  private charged: number

  constructor(accounts: ReadonlyArray<Account>, traffic: Traffic, charged: number, endsAt: number) {
    this.accounts = accounts
    this.traffic = traffic
    this.charged = charged
    this.endsAt = endsAt
  }

  /** Charges what was moved since the last call. */
  charge(quotas: Quotas["Service"], now: number): void {
    const moved = bytesOf(this.traffic)
    for (const account of this.accounts) quotas.charge(account, moved - this.charged, now)
    this.charged = moved
  }

  /** Whether a quota or a lifetime can end the session. */
  isBounded(): boolean {
    return this.endsAt < Infinity || this.accounts.some(({ limits }) => isQuota(limits))
  }

  /** Whether the lifetime is over. */
  isOver(now: number): boolean {
    return now >= this.endsAt
  }

  /** Whether a quota is used up. */
  isSpent(quotas: Quotas["Service"], now: number): boolean {
    return this.accounts.some((account) => quotas.exceeded(account, now) !== undefined)
  }
}

export const bytesOf = ({ sent, received }: Traffic): number => sent + received
