/**
 * What an admitted session holds of the limits: its own accounts, and those of the rules that it uses.
 */
import * as Duration from "effect/Duration"
import type { Ending, Traffic } from "../network/Relay.ts"
import { ByteCharge } from "./ByteCharge.ts"
import { type Account, isAssociation, type Limited } from "./LimitKeys.ts"
import type { Quotas } from "./Quotas.ts"

/** A session that can hold something of the limits. */
export interface Holder {
  /** What the session holds, while it is admitted. */
  reservation: Reservation<Limited> | undefined
}

/** Times are milliseconds since the epoch. The reservation itself charges the session's own accounts. */
export class Reservation<Session extends Limited> extends ByteCharge {
  readonly session: Session
  /** The place among all reservations. */
  place = -1
  /** Whether a quota or a lifetime can end the session. A sweep skips the others, which are most. */
  canEnd: boolean
  /** What the session holds of rules, by the key of the rule's account. Undefined for most sessions. */
  private uses: Map<string, RuleUse> | undefined

  constructor(
    session: Session,
    accounts: ReadonlyArray<Account>,
    maxLifetime: Duration.Duration | undefined
  ) {
    const { startedAt, traffic, admitted } = session
    const lifetime = Math.min(millisOf(maxLifetime), millisOf(admitted.identity.limits?.lifetime))
    super(accounts, traffic, { sent: 0, received: 0, at: startedAt, endsAt: startedAt + lifetime })
    this.session = session
    this.uses = undefined
    this.canEnd = this.isBounded()
  }

  /** Adds a use of a rule that the session uses already. Returns false if it is another rule. */
  useAgain(rule: Account): boolean {
    const use = this.uses?.get(rule.key)
    if (use === undefined) return false
    use.count++
    use.accounts = [rule]
    return true
  }

  /** Adds the first use of a rule, to whose account the bytes of `traffic` are charged from now on. */
  use(rule: Account, traffic: Traffic, now: number): void {
    // An association may have been there for long before it uses a rule.
    const since = isAssociation(this.session) ? now : this.session.startedAt
    const endsAt = since + millisOf(rule.limits.lifetime)
    const use = new RuleUse([rule], traffic, {
      sent: traffic.sent,
      received: traffic.received,
      at: since,
      endsAt
    })
    this.uses ??= new Map()
    this.uses.set(rule.key, use)
    this.canEnd ||= use.isBounded()
  }

  /** Ends one use of a rule. Returns the accounts that the session no longer counts for, after the last use. */
  endUse(key: string, quotas: Quotas["Service"], now: number): ReadonlyArray<Account> | undefined {
    const use = this.uses?.get(key)
    if (use === undefined || --use.count > 0) return undefined
    use.charge(quotas, now)
    this.uses?.delete(key)
    return use.accounts
  }

  /** Charges all accounts for the bytes that were moved since the last call. */
  chargeAll(quotas: Quotas["Service"], now: number): void {
    this.charge(quotas, now)
    if (this.uses) for (const use of this.uses.values()) use.charge(quotas, now)
  }

  /** Why the session has to end now, if it has to. */
  ending(quotas: Quotas["Service"], now: number): Ending | undefined {
    const uses = this.uses ? [...this.uses.values()] : []
    if (this.isOver(now) || uses.some((use) => use.isOver(now))) return "lifetime"
    return this.isSpent(quotas, now) || uses.some((use) => use.isSpent(quotas, now)) ? "quota" : undefined
  }

  /** The accounts that the session counts for. */
  allAccounts(): ReadonlyArray<Account> {
    if (this.uses === undefined) return this.accounts
    return [...this.accounts, ...Array.from(this.uses.values()).flatMap(({ accounts }) => accounts)]
  }
}

/** What a session holds of a rule. */
class RuleUse extends ByteCharge {
  /** Number of uses under way. */
  count = 1
}

const millisOf = (lifetime: Duration.Duration = Duration.infinity): number => Duration.toMillis(lifetime)
