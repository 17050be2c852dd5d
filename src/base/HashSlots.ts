/**
 * The slots of a hash table in one array, with linear probing. A slot has the index
 * of an entry plus 1, or 0 if it is free.
 */

/** Puts an entry into the table. At most half of the slots may be taken. */
export const enter = (slots: Int32Array, hash: number, number: number): void => {
  const mask = slots.length - 1
  let slot = hash & mask
  while (slots[slot] !== 0) slot = (slot + 1) & mask
  slots[slot] = number + 1
}

/** A table twice as large, with the entries of these hashes. */
export const doubled = (slots: Int32Array, hashes: Int32Array, size: number): Int32Array => {
  const larger = new Int32Array(slots.length * 2)
  for (let number = 0; number < size; number++) enter(larger, hashes[number]!, number)
  return larger
}
