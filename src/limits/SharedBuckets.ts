/**
 * Token buckets by name, each shared by several sessions.
 */
import * as TokenBucket from "../base/TokenBucket.ts"
import type { RateShares } from "./RateShares.ts"

export interface SharedBuckets {
  /** The bucket of this name, for one more session, at `rate` bytes a second from now on. */
  readonly take: (name: string, rate: number) => TokenBucket.TokenBucket
  /** One session fewer uses the bucket. It is kept until it is full, so that a session cannot shed its debt by coming back. */
  readonly giveBack: (name: string) => void
  /** Changes the rate of a bucket, if there is one of this name. */
  readonly setRate: (name: string, rate: number) => void
  readonly size: () => number
  /** Reports demand to the other processes, if the rates are shared with them. To be called once a second. */
  readonly report: () => void
}

interface Entry {
  readonly bucket: TokenBucket.TokenBucket
  users: number
  /** The share of this process, from 0 to 1. */
  share: number
  /** The bucket was unused at the last report. */
  isIdle: boolean
}

/** `now` gives milliseconds. */
export const make = (now: () => number, shares?: RateShares): SharedBuckets => {
  const entries = new Map<string, Entry>()
  /** The names of the buckets that no session uses. */
  const unused = new Set<string>()

  const enter = (name: string, rate: number): Entry => {
    const share = shares ? 0 : 1
    const bucket = TokenBucket.make(rate * share, now())
    const entry = { bucket, users: 0, share, isIdle: false }
    entries.set(name, entry)
    shares?.enter(name, (share) => {
      entry.share = share
      TokenBucket.setRate(bucket, bucket.whole * share, now())
    })
    return entry
  }

  /** Checks two unused buckets for each that becomes unused, so that there are few and each call is cheap. */
  const sweep = () => {
    let looks = 2
    for (const name of unused) {
      if (looks-- === 0) return
      unused.delete(name)
      const { bucket } = entries.get(name)!
      TokenBucket.fill(bucket, now())
      if (TokenBucket.isFull(bucket)) entries.delete(name)
      else unused.add(name)
    }
  }

  const leave = (name: string) => {
    shares?.leave(name)
    entries.delete(name)
    unused.delete(name)
  }

  const setRate = ({ bucket, share }: Entry, rate: number) => {
    bucket.whole = rate
    TokenBucket.setRate(bucket, rate * share, now())
  }

  return {
    take: (name, rate) => {
      const entry = entries.get(name) ?? enter(name, rate)
      unused.delete(name)
      entry.users++
      setRate(entry, rate)
      return entry.bucket
    },
    setRate: (name, rate) => {
      const entry = entries.get(name)
      if (entry) setRate(entry, rate)
    },
    giveBack: (name) => {
      const entry = entries.get(name)
      if (entry === undefined || --entry.users > 0) return
      unused.add(name)
      if (shares === undefined) sweep()
    },
    size: () => entries.size,
    report: () => {
      if (shares === undefined) return
      for (const [name, entry] of entries) {
        const { bucket, users } = entry
        TokenBucket.fill(bucket, now())
        shares.demand(name, bucket.waiting > 0 || !TokenBucket.isHalfFull(bucket))
        // A debt is kept as long as it takes to pay it off.
        if (users === 0 && entry.isIdle && TokenBucket.isFull(bucket)) leave(name)
        entry.isIdle = users === 0
      }
    }
  }
}
