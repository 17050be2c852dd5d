/**
 * The usage of accounts, as a member knows it: what the seat has reported, and the
 * bytes that the member's own sessions have moved since.
 */
import * as Usage from "./Usage.ts"

/** To the seat: the bytes that moved since the last report, by account. */
export interface UsageReport {
  readonly _tag: "moved"
  readonly accounts: ReadonlyArray<readonly [name: string, bytes: number]>
}

/** To a member: the usage of these accounts, summed over all members. */
export interface UsageUpdate extends Usage.Snapshot {
  readonly _tag: "used"
}

export interface UsageReplica extends Usage.Usage {
  readonly receive: (sum: UsageUpdate) => void
  readonly sweep: () => void
}

export const make = (send: (moved: UsageReport) => void): UsageReplica => {
  const usage = Usage.make()
  let moved = new Map<string, number>()
  return {
    ...usage,
    add: (name, bytes, now) => {
      if (bytes === 0) return
      usage.add(name, bytes, now)
      moved.set(name, (moved.get(name) ?? 0) + bytes)
    },
    receive: (sum) => usage.raise(sum, Date.now()),
    sweep: () => {
      if (moved.size === 0) return
      send({ _tag: "moved", accounts: [...moved] })
      moved = new Map()
    }
  }
}
