/**
 * Whose a session is: everyone and everything that its limits are for.
 */

import type { Identity } from "../auth/Identity.ts"
import type { Values } from "../config/Config.ts"
import type { Limits } from "../config/Limits.ts"
import type { Whose } from "../Errors.ts"
import type { Decision } from "../policy/Decision.ts"

/** What limits go by of a session: what its client is counted as, and who the client is. */
export interface Limited {
  readonly origin: { readonly host: string }
  readonly identity?: Identity | undefined
}

/** One of them. All sessions with the same key count together. */
export interface Account {
  readonly whose: Whose
  readonly key: string
  readonly limits: Limits
}

/** A client's address counts by itself, and so does its user, whose own limits beat those of the settings. */
export const ofClient = ({ origin: { host }, identity }: Limited, config: Values): ReadonlyArray<Account> => {
  const sessionRate = numberOf(config.sessionRate)
  const client = { whose: "client", key: `client ${host}` } as const
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
export const ofRule = ({ rule, limits }: Decision): Account | undefined =>
  limits && { whose: "rule", key: `rule ${rule}`, limits }

const numberOf = (limit: number | "off"): number => (limit === "off" ? Number.POSITIVE_INFINITY : limit)
