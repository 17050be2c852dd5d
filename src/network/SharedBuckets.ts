/**
 * Buckets by name, for those who share them.
 */
import * as Bucket from "./Bucket.ts"

export interface SharedBuckets {
  /** The bucket of this name for one user more, at this rate from now on. */
  readonly take: (name: string, rate: number) => Bucket.Bucket
  /** For one user less. Coming back rids nobody of a debt: a bucket is kept until it is full. */
  readonly giveBack: (name: string) => void
  readonly size: () => number
}

interface Entry {
  readonly bucket: Bucket.Bucket
  users: number
}

/** `now` gives milliseconds. */
export const make = (now: () => number): SharedBuckets => {
  const entries = new Map<string, Entry>()
  /** The names of those without a user. */
  const unused = new Set<string>()

  const enter = (name: string, rate: number): Entry => {
    const entry = { bucket: Bucket.make(rate, now()), users: 0 }
    entries.set(name, entry)
    return entry
  }

  /** Looks at two for each that becomes unused, so that they stay few, and this cheap. */
  const sweep = () => {
    let looks = 2
    for (const name of unused) {
      if (looks-- === 0) return
      unused.delete(name)
      const { bucket } = entries.get(name)!
      Bucket.fill(bucket, now())
      if (Bucket.isFull(bucket)) entries.delete(name)
      else unused.add(name)
    }
  }

  return {
    take: (name, rate) => {
      const entry = entries.get(name) ?? enter(name, rate)
      unused.delete(name)
      entry.users++
      Bucket.setRate(entry.bucket, rate, now())
      return entry.bucket
    },
    giveBack: (name) => {
      const entry = entries.get(name)
      if (entry === undefined || --entry.users > 0) return
      unused.add(name)
      sweep()
    },
    size: () => entries.size
  }
}
