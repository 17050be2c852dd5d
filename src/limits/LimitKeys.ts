/**
 * The accounts of a session: the client, the user and the rules that have limits.
 */

import type { Identity } from "../auth/Identity.ts"
import type { Values } from "../config/Config.ts"
import type { Limits } from "../config/Limits.ts"
import type { Whose } from "../Errors.ts"
import type { Decision } from "../policy/Decision.ts"

/** What limits need of a session: the key of its client, and its identity. */
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

/** The account of the client address, and that of the user, whose own limits take precedence over the settings. */
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

/** The account of a rule with limits: all sessions that the rule allows count together. */
export const ofRule = ({ rule, limits }: Decision): Account | undefined =>
  limits && { whose: "rule", key: `rule ${rule}`, limits }

const numberOf = (limit: number | "off"): number => (limit === "off" ? Number.POSITIVE_INFINITY : limit)
