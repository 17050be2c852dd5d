/**
 * What is known of an upstream, for the operator: of one process, and of several together.
 */

/** A member of a route, as it is now. */
export interface UpstreamState {
  readonly route: string
  /** The name of the member. */
  readonly member: string
  /** A text that is the same for the same member in every process. */
  readonly id: string
  /** Whether sessions use it. False while it is left alone, because it fails. */
  readonly isUp: boolean
  /** Milliseconds since the epoch when that changed the last time; undefined if it never did. */
  readonly since: number | undefined
  /** Open sessions. */
  readonly sessions: number
  /** Failures so far, of sessions and of health checks. */
  readonly failures: number
  /** What was wrong the last time; undefined while nothing was. */
  readonly error: string | undefined
  /** Of several processes, those by which it is left alone. */
  readonly downIn?: ReadonlyArray<number>
}

/** The upstreams of one process. */
export interface Part {
  readonly pid: number
  readonly upstreams: ReadonlyArray<UpstreamState>
}

/** The most upstreams that are told of. */
export const most = 1000

/** So many upstreams, those that fail first. */
export const first = (all: ReadonlyArray<UpstreamState>, count = most): ReadonlyArray<UpstreamState> =>
  all.length <= count
    ? all
    : [...all.filter(({ isUp }) => !isUp), ...all.filter(({ isUp }) => isUp)].slice(0, count)

/** An upstream is up if it is in every process: each finds out by its own sessions. */
export const merge = (parts: ReadonlyArray<Part>): ReadonlyArray<UpstreamState> => {
  const merged = new Map<string, UpstreamState>()
  for (const { pid, upstreams } of parts) {
    for (const one of upstreams) {
      const key = `${one.route} ${one.id}`
      const own = { ...one, downIn: one.isUp ? [] : [pid] }
      const other = merged.get(key)
      merged.set(key, other === undefined ? own : together(other, own))
    }
  }
  return first([...merged.values()])
}

const together = (one: UpstreamState, other: UpstreamState): UpstreamState => {
  const [first, second] = one.isUp && !other.isUp ? [other, one] : [one, other]
  return {
    ...first,
    // Since when one of them has left it alone, or all have used it.
    since: first.isUp === second.isUp ? sinceOf(first, second) : first.since,
    sessions: first.sessions + second.sessions,
    failures: first.failures + second.failures,
    error: first.error ?? second.error,
    downIn: [...(one.downIn ?? []), ...(other.downIn ?? [])]
  }
}

const sinceOf = (
  { isUp, since: one }: UpstreamState,
  { since: other }: UpstreamState
): number | undefined => {
  if (one === undefined || other === undefined) return one ?? other
  return isUp ? Math.max(one, other) : Math.min(one, other)
}
