/**
 * Large arrays of numbers on their way to another process, in pieces: to receive
 * all of them at once would hold up the sessions there.
 */

type Numbers = Int32Array | Uint16Array | Uint8Array

/** Some bytes of an array. */
export interface Piece {
  readonly _tag: "piece"
  /** Which array it is, counted from 0. */
  readonly array: number
  /** How many bytes the whole array has. */
  readonly length: number
  /** Where in the array these bytes begin. */
  readonly at: number
  readonly bytes: Uint8Array
}

/** What is in the place of an array. */
interface Place {
  readonly array: number
  readonly type: "Int32Array" | "Uint16Array" | "Uint8Array"
}

/** The same value without the arrays that are in it or in objects in it, and the pieces of these. */
export const apart = (value: unknown): { readonly value: unknown; readonly pieces: Iterable<Piece> } => {
  const arrays: Array<Numbers> = []
  const rest = mapped(value, (it) =>
    isNumbers(it) ? { array: arrays.push(it) - 1, type: it.constructor.name } : undefined
  )
  return { value: rest, pieces: piecesOf(arrays) }
}

export interface Pieces {
  readonly add: (piece: Piece) => void
  /** The value again, of what `apart` made of it and all pieces that were added; the next ones are of another. */
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

/** How long a piece is at most, in bytes. */
const most = 128 * 1024

function* piecesOf(arrays: ReadonlyArray<Numbers>): Generator<Piece> {
  for (const [array, { buffer, byteOffset, byteLength: length }] of arrays.entries()) {
    for (let at = 0; at < length; at += most) {
      const bytes = new Uint8Array(buffer, byteOffset + at, Math.min(most, length - at))
      yield { _tag: "piece", array, length, at, bytes }
    }
  }
}

/** With something else in the place of what is in it, or in objects in it. */
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
