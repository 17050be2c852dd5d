/**
 * The memory that system calls read and write: one mapping, cut into regions.
 *
 * A system call gets an address only from `Region.address`, which checks the offset and the size. The mapping lies
 * between two pages that cannot be touched, so that the kernel answers an address beyond it with EFAULT. Between the
 * regions lie canaries, which show a write beyond a region inside the mapping.
 *
 * The mapping is never given back: a view of memory that is gone would end the process.
 */

/** A part of the memory. */
export class Region {
  readonly size: number
  readonly bytes: Buffer
  readonly ints: Int32Array
  private readonly start: number

  constructor(memory: ArrayBuffer, base: number, offset: number, size: number) {
    this.size = size
    this.start = base + offset
    this.bytes = Buffer.from(memory, offset, size)
    this.ints = new Int32Array(memory, offset, size >> 2)
  }

  /** The address of `size` bytes at an offset. Throws a `RangeError` if they are not all in the region. */
  address(offset: number, size: number): number {
    if (
      (offset | 0) !== offset ||
      (size | 0) !== size ||
      offset < 0 ||
      size < 0 ||
      offset + size > this.size
    ) {
      throw new RangeError(`${size} bytes at ${offset} are not in a region of ${this.size} bytes`)
    }
    return this.start + offset
  }
}

/** The size of an `epoll_event` is 12 bytes on x64, and 16 elsewhere. */
const events = 1024

/** The most datagrams that one system call receives or sends. */
export const mostDatagrams = 32

/** Bytes for each received datagram: no datagram is longer (RFC 768). Memory that no datagram has reached costs nothing. */
export const datagramRoom = 64 * 1024

/** The sizes of the regions in bytes, each a multiple of 64. */
const sizes = {
  /** What is read from a connection. */
  input: 64 * 1024,
  /** What is written to a connection. */
  output: 64 * 1024,
  /** What `epoll_wait` reports. */
  events: events * 16,
  /** Received datagrams. */
  datagrams: mostDatagrams * datagramRoom,
  /** The messages of `recvmmsg`: see `MessageTable`. */
  incoming: mostDatagrams * 112,
  /** The messages of `sendmmsg`. */
  outgoing: mostDatagrams * 160,
  /** The address of a socket. */
  address: 128,
  /** Other arguments and results that go by reference. */
  scratch: 64
} as const

export type Name = keyof typeof sizes

/** The most events that one `epoll_wait` reports. */
export const mostEvents = events

const canarySize = 64
const canary = 0xa5

/** Bytes of the mapping, without the pages around it. */
export const size = Object.values(sizes).reduce((sum, each) => sum + each + canarySize, canarySize)

export interface Memory extends Readonly<Record<Name, Region>> {
  /** Whether no canary was overwritten. */
  readonly isIntact: () => boolean
}

/** Cuts a mapping of `size` bytes at the address `base` into regions. */
export const cut = (memory: ArrayBuffer, base: number): Memory => {
  const canaries: Array<Buffer> = []
  let offset = 0
  const guard = () => {
    canaries.push(Buffer.from(memory, offset, canarySize).fill(canary))
    offset += canarySize
  }
  guard()
  const regions = Object.fromEntries(
    Object.entries(sizes).map(([name, size]) => {
      const region = new Region(memory, base, offset, size)
      offset += size
      guard()
      return [name, region]
    })
  ) as Record<Name, Region>
  return {
    ...regions,
    isIntact: () => canaries.every((each) => each.every((byte) => byte === canary))
  }
}
