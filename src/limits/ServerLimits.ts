/**
 * The limits of a server over all its sessions: their number, their descriptors, and the UDP associations among them,
 * in all and of each owner.
 */
import { SessionLimitReached, TooManySessions } from "../Errors.ts"
import { isAssociation, type Limited, ownerOf } from "./LimitKeys.ts"
import type { LimitSettings } from "./Settings.ts"
import type { Refused, SharedCounters } from "./SharedCounters.ts"

export class ServerLimits {
  sessions = 0
  associations = 0
  /** Number of descriptors of all sessions, without those of the clients' connections. */
  descriptors = 0
  private readonly slots: SharedCounters["slots"]
  private readonly budget: number

  /** `budget` is the number of descriptors for connections. */
  constructor(slots: SharedCounters["slots"], budget: number) {
    this.slots = slots
    this.budget = budget
  }

  /** The limit of sessions in all. */
  limit({ maxSessions }: LimitSettings["Service"]): number {
    return maxSessions === "auto" ? Math.floor(this.budget / 2) : maxSessions
  }

  /** Why there is no room for a session. `free` is the number of descriptors left. */
  refusal(session: Limited, settings: LimitSettings["Service"], free: number): Refused | undefined {
    const limit = this.limit(settings)
    const error = () => new TooManySessions({ limit })
    if (!this.hasDescriptors(session, free)) return { error }
    if (settings.maxSessions === "auto") {
      if (this.sessions >= limit) return { error }
    } else if (!this.slots.hasRoom(all, limit)) return { error, exhausted: { kind: "slot", key: all, limit } }
    return isAssociation(session) ? this.refusalOfAssociation(session, settings) : undefined
  }

  /** Counts a session, or counts it no longer. */
  count(session: Limited, by: 1 | -1): void {
    this.sessions += by
    this.descriptors += by * descriptorsOf(session)
    this.slots.change(all, by)
    if (!isAssociation(session)) return
    this.associations += by
    this.slots.change(associationsOf(session), by)
  }

  private hasDescriptors(session: Limited, free: number): boolean {
    const own = descriptorsOf(session)
    if (own > free) return false
    // Counted with the clients' connections. A quarter of the descriptors is kept for CONNECT.
    return !isAssociation(session) || (this.associations + 1) * (own + 1) <= this.budget * 0.75
  }

  private refusalOfAssociation(
    session: Limited,
    { udpAssociations: limit }: LimitSettings["Service"]
  ): Refused | undefined {
    if (limit === "off") return undefined
    const key = associationsOf(session)
    if (this.slots.hasRoom(key, limit)) return undefined
    const { whose } = ownerOf(session.admitted)
    return {
      error: () => new SessionLimitReached({ whose, limit }),
      exhausted: { kind: "slot", key, limit }
    }
  }
}

/** The key of all sessions together. */
const all = "all"

const associationsOf = ({ admitted }: Limited): string => `UDP of ${ownerOf(admitted).key}`

/** A target's connection; or the relay port and a socket per family. */
const descriptorsOf = (session: Limited): number => (isAssociation(session) ? 3 : 1)
