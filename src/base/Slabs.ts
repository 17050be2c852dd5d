/**
 * Buffers of one size, cut from slabs that the system gets back.
 *
 * What malloc takes from its heap for small buffers stays with the process: the heap
 * shrinks from its end only, and something always lies there. A large allocation is
 * a mapping of its own instead, and its pages take no memory before they are written
 * to. So buffers are cut from slabs that are large enough for that, and a slab of
 * which no buffer is in use is dropped as a whole.
 */

/** Above 32 MiB, glibc maps an allocation by itself, whatever was allocated before (M_MMAP_THRESHOLD in mallopt(3)). */
const slabSize = 33 * 1024 * 1024

interface Slab {
  readonly memory: Buffer
  /** Buffers that were cut and are not in use. */
  readonly free: Array<Buffer>
  cut: number
  inUse: number
}

export class Slabs {
  private readonly size: number
  private readonly most: number
  private slabs: Array<Slab> = []
  private inUse = 0

  /** Buffers of `size` bytes, of which at most `most` are in use at once. */
  constructor(size: number, most = Infinity) {
    this.size = size
    this.most = most
  }

  /** A buffer, its bytes not cleared. Undefined if `most` are in use. */
  take(): Buffer | undefined {
    if (this.inUse === this.most) return undefined
    this.inUse++
    // The first that has room, so that the last ones become empty.
    const slab = this.slabs.find(hasRoom(this.size)) ?? this.add()
    slab.inUse++
    return slab.free.pop() ?? cut(slab, this.size)
  }

  /** Takes back a buffer of `take` that is not used any more. */
  giveBack(buffer: Buffer): void {
    const slab = this.slabs.find(({ memory }) => memory.buffer === buffer.buffer)!
    slab.free.push(buffer)
    slab.inUse--
    this.inUse--
  }

  /** Drops the slabs of which no buffer is in use. The garbage collector gives their memory back to the system. */
  release(): void {
    this.slabs = this.slabs.filter(({ inUse }) => inUse > 0)
  }

  private add(): Slab {
    const slab: Slab = { memory: Buffer.allocUnsafeSlow(slabSize), free: [], cut: 0, inUse: 0 }
    this.slabs.push(slab)
    return slab
  }
}

const cut = (slab: Slab, size: number): Buffer => {
  const from = slab.cut
  slab.cut += size
  return slab.memory.subarray(from, slab.cut)
}

const hasRoom =
  (size: number) =>
  ({ free, cut }: Slab): boolean =>
    free.length > 0 || cut + size <= slabSize
