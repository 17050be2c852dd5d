/**
 * Accounts whose sessions go on slowly after their quota is used up (`on-quota: throttle`), while they have sessions.
 */
import type { Rates } from "../config/Parsers.ts"
import type { Account } from "./LimitKeys.ts"
import { isQuota, type Quotas } from "./Quotas.ts"
import type { SharedBuckets } from "./SharedBuckets.ts"

/** A shared bucket, its rate now, and the rate to which it may come. */
export type Named = readonly [name: string, rate: number, lowest?: number]

export interface QuotaThrottle {
  /**
   * Begins to watch an account, for one session more. Returns the bucket of each direction, which all sessions of the
   * account share; undefined for an account that is not slowed. `rates` are those over the quota, in bytes a second.
   */
  readonly enter: (
    account: Account,
    rates: Rates,
    now: number
  ) => { readonly [Way in keyof Rates]: Named } | undefined
  /** Ends the watch of one session. */
  readonly leave: (account: Account) => void
  /** Changes the rates of accounts that have used up a quota, or have another one. To be called once a second. */
  readonly sweep: (now: number) => void
}

interface Watched {
  readonly account: Account
  readonly rates: Rates
  isSlow: boolean
  sessions: number
}

/** As good as no limit, and still a number of bytes that a bucket can hold. */
const unlimited = 1e12

/** Times are milliseconds since the epoch. */
export const make = (
  quotas: Pick<Quotas["Service"], "exceeded">,
  { setRate }: Pick<SharedBuckets, "setRate">
): QuotaThrottle => {
  const watched = new Map<string, Watched>()
  const isSpent = (account: Account, now: number) => quotas.exceeded(account, now) !== undefined
  const bucketOf = (way: keyof Rates, { account, rates, isSlow }: Watched): Named => [
    `${way} over the quota of ${account.key}`,
    isSlow ? rates[way] : unlimited,
    rates[way]
  ]
  return {
    enter: (account, rates, now) => {
      if (!account.isSlowed || !isQuota(account.limits)) return undefined
      const sessions = (watched.get(account.key)?.sessions ?? 0) + 1
      // The limits of the session that began last, as settings may have changed.
      const entry = { account, rates, isSlow: isSpent(account, now), sessions }
      watched.set(account.key, entry)
      return { upload: bucketOf("upload", entry), download: bucketOf("download", entry) }
    },
    leave: ({ key }) => {
      const entry = watched.get(key)
      if (entry && --entry.sessions === 0) watched.delete(key)
    },
    sweep: (now) => {
      for (const entry of watched.values()) {
        const isSlow = isSpent(entry.account, now)
        if (isSlow === entry.isSlow) continue
        entry.isSlow = isSlow
        for (const way of ["upload", "download"] as const) {
          const [name, rate] = bucketOf(way, entry)
          setRate(name, rate)
        }
      }
    }
  }
}
