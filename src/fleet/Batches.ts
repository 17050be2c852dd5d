/**
 * What is told to the store in few calls: the keys of each call are of one bucket.
 */

/** The items of each call: of one bucket, and not more than `most`. */
export const byBucket = <A>(
  items: Iterable<A>,
  bucketOf: (item: A) => number,
  most: number
): ReadonlyArray<ReadonlyArray<A>> => {
  const full: Array<Array<A>> = []
  const open = new Map<number, Array<A>>()
  for (const item of items) {
    const bucket = bucketOf(item)
    const some = open.get(bucket) ?? []
    open.set(bucket, some)
    some.push(item)
    if (some.length < most) continue
    full.push(some)
    open.delete(bucket)
  }
  return [...full, ...open.values()]
}
