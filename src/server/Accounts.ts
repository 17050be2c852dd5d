/**
 * Whose a session is: everyone and everything that its limits are for.
 */
import type { Values } from "../config/Config.ts"
import type { Limits } from "../config/Limits.ts"
import type { Whose } from "../Errors.ts"
import { hostOf, type Known } from "../phases/Dialect.ts"
import type { Decision } from "../policy/Decision.ts"

/** One of them. All sessions with the same key count together. */
export interface Account {
  readonly whose: Whose
  readonly key: string
  readonly limits: Limits
}

/** A client's address counts by itself, and so does its user, whose own limits beat those of the settings. */
export const ofClient = ({ peer, identity }: Known, config: Values): ReadonlyArray<Account> => {
  const sessionRate = numberOf(config.sessionRate)
  const client = { whose: "client", key: `client ${hostOf(peer)}` } as const
  const sessions = numberOf(config.maxSessionsPerClient)
  if (identity?.user === undefined) return [{ ...client, limits: { sessions, sessionRate } }]
  return [
    { ...client, limits: { sessions } },
    {
      whose: "user",
      key: `user ${identity.user}`,
      limits: {
        sessions: numberOf(config.maxSessionsPerUser),
        sessionRate,
        dailyQuota: numberOf(config.dailyQuota),
        monthlyQuota: numberOf(config.monthlyQuota),
        ...identity.limits
      }
    }
  ]
}

/** Everyone whom a rule lets in counts together, if it has limits. */
export const ofRule = ({ rule, limits }: Decision): ReadonlyArray<Account> =>
  limits ? [{ whose: "rule", key: `rule ${rule}`, limits }] : []

const numberOf = (limit: number | "off"): number => (limit === "off" ? Number.POSITIVE_INFINITY : limit)
