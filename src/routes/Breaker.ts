/**
 * The circuit breaker of a member: after several failures in a row the member is left alone for a while, and then tried
 * by one session at a time.
 */

/** Failures in a row after which a member is left alone. */
const patience = 3

/** Milliseconds for which a member is left alone at first, doubled each further time. */
const shortest = 10_000
const longest = 300_000

/** What is known of a failure. */
export interface Failure {
  /** Whether the member is to be left alone at once. */
  readonly isCertain?: boolean | undefined
  /** Whose session failed, if its target can have caused that: such failures count once for each of these. */
  readonly by?: string | undefined
}

/** The most whose failures are remembered since the last success. */
const mostBlaming = 64

export class Breaker {
  private failures = 0
  private readonly blamedBy = new Set<string>()
  /** Milliseconds since the epoch until which the member is left alone. */
  private until = 0
  private isTrying = false

  /** Whether the member is left alone, or was until it is tried. */
  get isOpen(): boolean {
    return this.failures >= patience
  }

  /** Whether a session may use the member at this time in milliseconds since the epoch. */
  mayUse(now: number): boolean {
    return !this.isOpen || (now >= this.until && !this.isTrying)
  }

  /** A session uses the member. */
  begin(): void {
    if (this.isOpen) this.isTrying = true
  }

  /** The use was given up before it showed anything. */
  abandon(): void {
    this.isTrying = false
  }

  /** The member did its part. Returns whether it was left alone before. */
  succeed(): boolean {
    const wasOpen = this.isOpen
    this.failures = 0
    this.isTrying = false
    if (this.blamedBy.size > 0) this.blamedBy.clear()
    return wasOpen
  }

  /** The member failed. Returns whether it is left alone from now on, and was not before. */
  fail(now: number, { isCertain = false, by }: Failure = {}): boolean {
    const wasOpen = this.isOpen
    if (by !== undefined) {
      if (this.blamedBy.has(by)) {
        this.isTrying = false
        return false
      }
      if (this.blamedBy.size < mostBlaming) this.blamedBy.add(by)
    }
    this.failures = isCertain && !wasOpen ? patience : this.failures + 1
    this.isTrying = false
    if (this.isOpen) this.until = now + Math.min(longest, shortest * 2 ** (this.failures - patience))
    return this.isOpen && !wasOpen
  }
}
