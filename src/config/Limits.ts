/**
 * What a user may have at most, or those whom a rule lets in. What is left out
 * has no limit.
 */
import type * as Duration from "effect/Duration"

export interface Limits {
  /** At once. */
  readonly sessions?: number
  /** New ones, a second. */
  readonly sessionRate?: number
  /** Bytes a second from clients, all their sessions together. */
  readonly upload?: number
  /** Bytes a second to clients, all their sessions together. */
  readonly download?: number
  /** Of each session, however busy it is. */
  readonly lifetime?: Duration.Duration
  /** Bytes in a day, both ways together. */
  readonly dailyQuota?: number
  /** Bytes in a month, both ways together. */
  readonly monthlyQuota?: number
}
