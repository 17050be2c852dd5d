/**
 * The slots of a hash table in one array: in each, one more than the number of an
 * entry, or 0. An entry is in the first free slot from that of its hash on.
 */

/** Puts an entry into the table, in which at most half of the slots may be taken. */
export const enter = (slots: Int32Array, hash: number, number: number): void => {
  const mask = slots.length - 1
  let slot = hash & mask
  while (slots[slot] !== 0) slot = (slot + 1) & mask
  slots[slot] = number + 1
}

/** A table twice as large, with so many entries, of which these are the hashes. */
export const doubled = (slots: Int32Array, hashes: Int32Array, size: number): Int32Array => {
  const larger = new Int32Array(slots.length * 2)
  for (let number = 0; number < size; number++) enter(larger, hashes[number]!, number)
  return larger
}
