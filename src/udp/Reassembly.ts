/**
 * Reassembles fragmented datagrams (RFC 1928 §7).
 *
 * A sequence begins with position 1, and ends with the fragment whose FRAG has the high bit set. RFC 1928 abandons a
 * sequence at a lower position than the last, so fragments out of order never make a datagram. Therefore a gap abandons
 * the sequence at once. Another destination abandons it, too, and so does a datagram of more bytes than UDP carries.
 */
import * as Datagram from "../wire/Datagram.ts"

/** Milliseconds for a whole sequence: the least that RFC 1928 §7 allows. */
const patience = 5000

export interface Reassembly {
  /**
   * Takes a fragment whose header has `headerSize` bytes; `now` is in milliseconds. After the last fragment, returns
   * the whole datagram with its header, with FRAG 0.
   */
  readonly add: (bytes: Uint8Array, headerSize: number, now: number) => Uint8Array | undefined
}

/** The reassembly queue of an association. `lose` gets the number of fragments that were dropped. */
export const make = (drop: (count: number) => void): Reassembly => {
  let parts: Array<Uint8Array> = []
  let size = 0
  let begunAt = 0

  const giveUp = () => {
    drop(parts.length)
    parts = []
    size = 0
  }

  return {
    add: (bytes, headerSize, now) => {
      const position = Datagram.fragment(bytes) & 0x7f
      if (position === 1 || now - begunAt >= patience) giveUp()
      if (position !== parts.length + 1) {
        // The network can duplicate a fragment. A copy of the last fragment does not abandon the sequence.
        const isCopy = position !== 0 && position === parts.length
        if (!isCopy) giveUp()
        drop(1)
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
