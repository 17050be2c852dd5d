/**
 * Large arrays of numbers, sent to another process in pieces: to receive a whole
 * array at once would hold up the sessions of that process.
 */

type Numbers = Int32Array | Uint16Array | Uint8Array

/** Some bytes of an array. */
export interface Piece {
  readonly _tag: "piece"
  /** The index of the array, from 0. */
  readonly array: number
  /** The size of the whole array in bytes. */
  readonly length: number
  /** The offset of these bytes in the array. */
  readonly at: number
  readonly bytes: Uint8Array
}

/** What stands for an array in the value. */
interface Place {
  readonly array: number
  readonly type: "Int32Array" | "Uint16Array" | "Uint8Array"
}

/** Takes the arrays out of a value and of the objects in it, and returns the rest and the pieces of the arrays. */
export const apart = (value: unknown): { readonly value: unknown; readonly pieces: Iterable<Piece> } => {
  const arrays: Array<Numbers> = []
  const rest = mapped(value, (it) =>
    isNumbers(it) ? { array: arrays.push(it) - 1, type: it.constructor.name } : undefined
  )
  return { value: rest, pieces: piecesOf(arrays) }
}

export interface Pieces {
  readonly add: (piece: Piece) => void
  /** Puts the pieces that were added back into a value of `apart`. The pieces of the next value follow. */
  readonly together: (value: unknown) => unknown
}

export const make = (): Pieces => {
  let arrays: Array<Uint8Array<ArrayBuffer>> = []
  return {
    add: ({ array, length, at, bytes }) => {
      arrays[array] ??= new Uint8Array(length)
      arrays[array].set(bytes, at)
    },
    together: (value) => {
      const all = arrays
      arrays = []
      return mapped(value, (it) => (isPlace(it) ? numbersOf(it, all[it.array]) : undefined))
    }
  }
}

/** The largest size of a piece, in bytes. */
const most = 128 * 1024

function* piecesOf(arrays: ReadonlyArray<Numbers>): Generator<Piece> {
  for (const [array, { buffer, byteOffset, byteLength: length }] of arrays.entries()) {
    for (let at = 0; at < length; at += most) {
      const bytes = new Uint8Array(buffer, byteOffset + at, Math.min(most, length - at))
      yield { _tag: "piece", array, length, at, bytes }
    }
  }
}

/** The value, with every part replaced for which `replace` returns something. Looks into plain objects. */
const mapped = (value: unknown, replace: (value: unknown) => unknown): unknown => {
  const other = replace(value)
  if (other !== undefined) return other
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    return value
  }
  return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, mapped(it, replace)]))
}

const isNumbers = (u: unknown): u is Numbers =>
  u instanceof Int32Array || u instanceof Uint16Array || u instanceof Uint8Array

const isPlace = (u: unknown): u is Place => typeof u === "object" && u !== null && "array" in u && "type" in u

const numbersOf = ({ type }: Place, { buffer } = new Uint8Array()): Numbers => {
  switch (type) {
    case "Int32Array":
      return new Int32Array(buffer)
    case "Uint16Array":
      return new Uint16Array(buffer)
    case "Uint8Array":
      return new Uint8Array(buffer)
  }
}
