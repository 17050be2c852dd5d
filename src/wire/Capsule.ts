/**
 * Capsules, in which datagrams go over a stream of HTTP (RFC 9297 §3): `TYPE LENGTH VALUE`, of variable-length integers
 * (RFC 9000 §16). A UDP payload is a datagram of context 0 (RFC 9298 §5).
 */

/** The most bytes of the payload of a UDP packet (RFC 9298 §5). */
const payloadLimit = 65_527

/** The capsule with this payload of a UDP packet. */
export const datagram = (payload: Uint8Array): Uint8Array => {
  const size = payload.length + 1
  const length = size < 0x40 ? [size] : size < 0x4000 ? [0x40 | (size >> 8), size & 0xff] : long(size)
  const bytes = new Uint8Array(1 + length.length + size)
  bytes.set(length, 1)
  bytes.set(payload, 2 + length.length)
  return bytes
}

const long = (size: number): ReadonlyArray<number> => [
  0x80,
  (size >> 16) & 0xff,
  (size >> 8) & 0xff,
  size & 0xff
]

/** Reads capsules from bytes that arrive in pieces. Holds at most one datagram. */
export class CapsuleReader {
  /** The bytes of a type and a length that are not whole yet. */
  private head: Uint8Array = new Uint8Array(0)
  /** The datagram that is not whole yet, and the bytes of it that are there. */
  private partial: Uint8Array | undefined = undefined
  private filled = 0
  /** The bytes of a capsule of another type that are still to come: it is ignored (RFC 9297 §3.2). */
  private ignored = 0

  /** Whether all capsules so far are whole. */
  get isWhole(): boolean {
    return this.head.length === 0 && this.partial === undefined && this.ignored === 0
  }

  /**
   * Takes a capsule or a part of one from the start of the bytes, and returns the number of bytes, or what is wrong. Calls
   * `onDatagram` with a whole UDP payload, which is valid until the call returns.
   */
  take(bytes: Uint8Array, onDatagram: (payload: Uint8Array) => void): number | string {
    if (this.ignored > 0) {
      const size = Math.min(this.ignored, bytes.length)
      this.ignored -= size
      return size
    }
    return this.partial ? this.fill(this.partial, bytes, onDatagram) : this.begin(bytes, onDatagram)
  }

  /** Reads the type and the length of a capsule, and its datagram if that is there, too. */
  private begin(bytes: Uint8Array, onDatagram: (payload: Uint8Array) => void): number | string {
    const before = this.head.length
    const start = before === 0 ? bytes : joined(this.head, bytes.subarray(0, headLimit))
    const type = integer(start, 0)
    const length = type && integer(start, type.end)
    if (length === undefined) {
      this.head = Uint8Array.from(start)
      return start.length - before
    }
    this.head = new Uint8Array(0)
    const size = length.end - before
    if (type!.value !== 0) {
      this.ignored = length.value
      return size
    }
    if (length.value > payloadLimit + 8) return "a datagram that is too long"
    const end = size + length.value
    if (end <= bytes.length) {
      deliver(bytes.subarray(size, end), onDatagram)
      return end
    }
    this.partial = new Uint8Array(length.value)
    this.filled = 0
    return size
  }

  private fill(partial: Uint8Array, bytes: Uint8Array, onDatagram: (payload: Uint8Array) => void): number {
    const size = Math.min(partial.length - this.filled, bytes.length)
    partial.set(bytes.subarray(0, size), this.filled)
    this.filled += size
    if (this.filled === partial.length) {
      this.partial = undefined
      deliver(partial, onDatagram)
    }
    return size
  }
}

/** The most bytes of a type and a length. */
const headLimit = 16

/** Datagrams of a context that was not agreed on are dropped (RFC 9298 §4). */
const deliver = (datagram: Uint8Array, onDatagram: (payload: Uint8Array) => void): void => {
  const context = integer(datagram, 0)
  if (context?.value === 0) onDatagram(datagram.subarray(context.end))
}

/** A variable-length integer, and the index behind it; undefined if it is not whole. */
const integer = (
  bytes: Uint8Array,
  at: number
): { readonly value: number; readonly end: number } | undefined => {
  const first = bytes[at]
  if (first === undefined) return undefined
  const end = at + (1 << (first >> 6))
  if (end > bytes.length) return undefined
  let value = first & 0x3f
  for (let i = at + 1; i < end; i++) value = value * 256 + bytes[i]!
  return { value, end }
}

const joined = (one: Uint8Array, other: Uint8Array): Uint8Array => {
  const both = new Uint8Array(one.length + other.length)
  both.set(one)
  both.set(other, one.length)
  return both
}
