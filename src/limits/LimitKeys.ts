/**
 * The accounts of a session: the client, the user and the rules that have limits.
 */

import type { Identity } from "../auth/Identity.ts"
import type { Limits } from "../config/Limits.ts"
import type { Whose } from "../Errors.ts"
import { hostOf, type Peer } from "../network/Peer.ts"
import type { Traffic } from "../network/Relay.ts"
import type { Decision } from "../policy/Decision.ts"
import type { LimitSettings } from "./Settings.ts"

/** What the owner of a session is found by. */
export interface Owned {
  readonly identity: Identity
  readonly peer: Peer
}

/** What limits need of a session. */
export interface Limited {
  readonly origin: { readonly host: string }
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly traffic: Traffic
  readonly admitted: Owned & { readonly request: { readonly command: string } }
}

/** Whether a session relays UDP datagrams. */
export const isAssociation = ({ admitted }: Limited): boolean => admitted.request.command === "ASSOCIATE"

/** The owner of a session: its user, or its client address where no user was authenticated. */
export const ownerOf = ({
  identity: { user },
  peer
}: Owned): { readonly whose: "client" | "user"; readonly key: string } =>
  user === undefined
    ? { whose: "client", key: `client ${hostOf(peer)}` }
    : { whose: "user", key: `user ${user}` }

/** A client, a user or a rule with its limits. All sessions of accounts with the same key count together. */
export interface Account {
  readonly whose: Whose
  readonly key: string
  readonly limits: Limits
  /** Whether this is the account of the session's owner: its user, or its client where no user was authenticated. */
  readonly isOwner?: true
  /** Whether sessions go on slowly after a quota is used up, and are not ended and refused. */
  readonly isSlowed?: true
}

/** The account of the client address, and that of the user, whose own limits take precedence over the settings. */
export const ofClient = (
  { origin: { host }, admitted: { identity } }: Pick<Limited, "origin" | "admitted">,
  settings: LimitSettings["Service"]
): ReadonlyArray<Account> => {
  const sessionRate = numberOf(settings.sessionRate)
  const key = `client ${host}`
  const sessions = numberOf(settings.maxSessionsPerClient)
  // Without spreads, as each session has these accounts.
  if (identity.user === undefined) {
    return [{ whose: "client", key, limits: { sessions, sessionRate }, isOwner: true }]
  }
  return [
    { whose: "client", key, limits: { sessions } },
    { ...ofUser(identity.user, identity.limits, settings), isOwner: true }
  ]
}

/** The account of a user, whose own limits take precedence over the settings. */
export const ofUser = (
  user: string,
  own: Limits | undefined,
  settings: LimitSettings["Service"]
): Account => ({
  whose: "user",
  key: `user ${user}`,
  ...slowed(settings),
  limits: {
    sessions: numberOf(settings.maxSessionsPerUser),
    sessionRate: numberOf(settings.sessionRate),
    dailyQuota: numberOf(settings.dailyQuota),
    monthlyQuota: numberOf(settings.monthlyQuota),
    ...own
  }
})

/** The account of a rule with limits: all sessions that the rule allows count together. */
export const ofRule = (
  { rule, limits }: Pick<Decision, "rule" | "limits">,
  settings: LimitSettings["Service"]
): Account | undefined => limits && { whose: "rule", key: `rule ${rule}`, ...slowed(settings), limits }

const slowed = ({ onQuota }: LimitSettings["Service"]): Pick<Account, "isSlowed"> =>
  onQuota === "throttle" ? { isSlowed: true } : {}

const numberOf = (limit: number | "off"): number => (limit === "off" ? Number.POSITIVE_INFINITY : limit)
