/**
 * The usage of accounts, as a member knows it: what the seat has reported, and the
 * bytes that the member's own sessions have moved since.
 */
import { type Amount, bytesOf, nothing, sum } from "../usage/Amount.ts"
import * as Usage from "./Usage.ts"

/** To the seat: what was used since the last report, by account. `isLimited`: a quota counts it. */
export interface UsageReport {
  readonly _tag: "moved"
  readonly accounts: ReadonlyArray<readonly [name: string, amount: Amount, isLimited: boolean]>
}

/** To a member: the usage of these accounts, summed over all members. */
export interface UsageUpdate extends Usage.Snapshot {
  readonly _tag: "used"
  /** Whether the usage of these accounts is these numbers, and not more: several machines count them together. */
  readonly isExact?: boolean
  /** Whether all quotas count as used up from now on, or no longer. */
  readonly denies?: boolean
}

export interface UsageReplica extends Usage.Usage {
  readonly receive: (sum: UsageUpdate) => void
  readonly sweep: () => void
}

/** `isRecorded`: the seat records the usage of every owner of a session. */
export const make = (
  send: (moved: UsageReport) => void,
  { isRecorded, resetDay }: { readonly isRecorded: boolean; readonly resetDay?: number }
): UsageReplica => {
  const usage = Usage.make(undefined, resetDay)
  let moved = new Map<string, { amount: Amount; isLimited: boolean }>()
  let denies = false
  /** What is not reported yet is not in the seat's numbers. */
  const setTo = ({ date, accounts }: UsageUpdate) =>
    usage.set(
      {
        date,
        accounts: accounts.map(({ name, day, month }) => {
          const more = bytesOf(moved.get(name)?.amount ?? nothing)
          return { name, day: day + more, month: month + more }
        })
      },
      Date.now()
    )
  return {
    ...usage,
    isRecorded,
    add: (name, amount, now, isLimited = true) => {
      if (isLimited) usage.add(name, amount, now)
      const before = moved.get(name)
      moved.set(name, { amount: before ? sum(before.amount, amount) : amount, isLimited })
    },
    of: (name, now) => (denies ? Usage.spent : usage.of(name, now)),
    receive: (sum) => {
      denies = sum.denies ?? denies
      if (sum.isExact) setTo(sum)
      else usage.raise(sum, Date.now())
    },
    sweep: () => {
      if (moved.size === 0) return
      send({
        _tag: "moved",
        accounts: Array.from(moved, ([name, { amount, isLimited }]) => [name, amount, isLimited])
      })
      moved = new Map()
    }
  }
}
