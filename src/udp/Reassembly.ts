/**
 * Putting fragmented datagrams together again (RFC 1928 §7).
 *
 * Position 1 begins a sequence and the high bit of FRAG ends it. A lower number
 * than the one before gives the sequence up, so what arrives out of order could
 * never be whole: a gap gives it up at once. So does another destination, or
 * more than a datagram can carry.
 */
import * as Datagram from "../wire/Datagram.ts"

/** The time that a sequence has, in milliseconds: the least that the RFC allows. */
const patience = 5000

export interface Reassembly {
  /**
   * Takes a fragment, its header `headerSize` long, at a time in milliseconds.
   * Returns the whole datagram, as if it had come in one, if this was its last.
   */
  readonly add: (bytes: Uint8Array, headerSize: number, now: number) => Uint8Array | undefined
}

/** The reassembly queue of an association. `lose` gets the number of fragments that are dropped. */
export const make = (lose: (count: number) => void): Reassembly => {
  let parts: Array<Uint8Array> = []
  let size = 0
  let begunAt = 0

  const giveUp = () => {
    lose(parts.length)
    parts = []
    size = 0
  }

  return {
    add: (bytes, headerSize, now) => {
      const position = Datagram.fragment(bytes) & 0x7f
      if (position === 1 || now - begunAt >= patience) giveUp()
      if (position !== parts.length + 1) {
        // The same once more is a copy on the way, and no harm done.
        const isCopy = position !== 0 && position === parts.length
        if (!isCopy) giveUp()
        lose(1)
        return undefined
      }
      if (position === 1) begunAt = now
      const addition = bytes.length - (position === 1 ? 0 : headerSize)
      const isSame = position === 1 || sameAddress(parts[0]!, bytes, headerSize)
      parts.push(bytes.subarray(bytes.length - addition))
      size += addition
      if (!isSame || size > Datagram.maximum) {
        giveUp()
        return undefined
      }
      if ((Datagram.fragment(bytes) & 0x80) === 0) return undefined
      const whole = concatenated(parts, size)
      whole[2] = 0
      parts = []
      size = 0
      return whole
    }
  }
}

const sameAddress = (one: Uint8Array, other: Uint8Array, headerSize: number): boolean => {
  for (let i = 3; i < headerSize; i++) if (one[i] !== other[i]) return false
  return true
}

const concatenated = (parts: ReadonlyArray<Uint8Array>, size: number): Uint8Array => {
  const whole = new Uint8Array(size)
  let end = 0
  for (const part of parts) {
    whole.set(part, end)
    end += part.length
  }
  return whole
}
