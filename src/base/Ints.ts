/**
 * Integers of 32 bits in one array that grows, however many they are.
 */
export class Ints {
  /** The integers, and behind them room for more. */
  items: Int32Array
  length: number

  /** The integers of an array, which belongs to this object from now on. */
  constructor(items?: Int32Array) {
    this.items = items ?? new Int32Array(16)
    this.length = items?.length ?? 0
  }

  /** Appends an integer, and returns its index. */
  push(value: number): number {
    if (this.length === this.items.length) this.items = grown(this.items, this.length + 1)
    this.items[this.length] = value
    return this.length++
  }

  /** The integers, without the room for more. */
  get all(): Int32Array {
    return this.items.subarray(0, this.length)
  }
}

/** A copy with room for twice as many integers. */
export const grown = <A extends Int32Array | Uint16Array | Uint8Array>(items: A, length: number): A => {
  const larger = new (items.constructor as new (length: number) => A)(Math.max(16, items.length * 2, length))
  larger.set(items)
  return larger
}
