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
  /** What was charged, or is not to be charged. */
  private sent: number
  private received: number
  private chargedAt: number
  private isCounted = false

  constructor(accounts: ReadonlyArray<Account>, traffic: Traffic, start: Start) {
    this.accounts = accounts
    this.traffic = traffic
    this.endsAt = start.endsAt
    this.sent = start.sent
    this.received = start.received
    this.chargedAt = start.at
  }

  /** Charges what was moved since the last call, and the time. The first call charges the session. */
  charge(quotas: Quotas["Service"], now: number): void {
    const { sent, received } = this.traffic
    const amount = {
      sent: sent - this.sent,
      received: received - this.received,
      sessions: this.isCounted ? 0 : 1,
      duration: Math.min(Math.max(now - this.chargedAt, 0), longestStep)
    }
    for (const account of this.accounts) quotas.charge(account, amount, now)
    this.sent = sent
    this.received = received
    this.chargedAt = now
    this.isCounted = true
  }

  /** Whether a quota or a lifetime can end the session. */
  isBounded(): boolean {
    return this.endsAt < Infinity || this.accounts.some(({ limits }) => isQuota(limits))
  }

  /** Whether the lifetime is over. */
  isOver(now: number): boolean {
    return now >= this.endsAt
  }

  /** Whether a quota is used up that ends sessions. */
  isSpent(quotas: Quotas["Service"], now: number): boolean {
    return this.accounts.some((account) => !account.isSlowed && quotas.exceeded(account, now) !== undefined)
  }
}

/** What is not charged: the bytes so far, and the time before `at`. */
interface Start extends Pick<Traffic, "sent" | "received"> {
  readonly at: number
  readonly endsAt: number
}

/** Sessions are charged each second, so a longer time is one by which the clock was set, or the machine slept. */
const longestStep = 60_000
