/**
 * The names of the keys and channels in the fleet's store.
 *
 * The keys of an owner are in one bucket, which is the hash tag of their names: in Redis, a hash slot. So a script may
 * take several keys of a bucket, also where the buckets are spread over several stores.
 */

/** Number of buckets: the most stores that a fleet can be spread over. */
export const buckets = 16

export interface Keys {
  /** A key about an owner or a limit, such as `slots` of `user alice`. */
  readonly of: (kind: string, name: string) => string
  /** A key of a bucket as a whole. */
  readonly ofBucket: (kind: string, bucket: number) => string
  /** The channel of one machine. */
  readonly channel: (machine: string) => string
  /** What the channels of machines begin with. */
  readonly channels: string
  /** The channel of all machines. */
  readonly broadcast: string
}

/** `database` is the number of the database that has the keys: Redis has one set of channels for all of them. */
export const make = (prefix: string, database = 0): Keys => {
  const ofBucket = (kind: string, bucket: number) => `${prefix}:{${bucket}}:${kind}`
  const channels = database === 0 ? prefix : `${prefix}:${database}`
  return {
    ofBucket,
    of: (kind, name) => `${ofBucket(kind, bucketOf(name))}:${name}`,
    channel: (machine) => `${channels}:machine:${machine}`,
    channels: `${channels}:machine:`,
    broadcast: `${channels}:machines`
  }
}

/** What a limit is of, without what the limit is on: `user alice` for `UDP of user alice` and `upload of user alice`. */
const ownerOf = (name: string): string => name.replace(/^(?:UDP|upload|download) of /, "")

/** The bucket of what is named so (FNV-1a). */
export const bucketOf = (name: string): number => {
  let hash = 0x811c9dc5
  const owner = ownerOf(name)
  for (let index = 0; index < owner.length; index++) {
    hash = Math.imul(hash ^ owner.charCodeAt(index), 0x01000193)
  }
  return (hash >>> 0) % buckets
}
