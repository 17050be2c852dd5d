/**
 * The messages of `recvmmsg` and `sendmmsg` in a region: an array of `struct mmsghdr`, then for each message its parts
 * (`struct iovec`), the room for its address, and the room for its first bytes.
 *
 * All that does not change is written once. The layout is that of 64-bit Linux, with glibc and with musl.
 */
import { mostDatagrams, type Region } from "./Memory.ts"

// Sizes in bytes.
const header = 64
const part = 16
/** At least a `sockaddr_in6`. */
const address = 32
/** At least the header of a datagram between the client and the relay (RFC 1928 §7) with an IPv6 address. */
const head = 32

/** `struct mmsghdr` in 32-bit words. Pointers and sizes have two words. */
const field = { address: 0, addressSize: 2, parts: 4, partCount: 6, size: 14 }

export class MessageTable {
  private readonly region: Region
  private readonly ints: Int32Array
  private readonly partsEach: number
  private readonly addresses: number
  private readonly heads: number

  /** A table in a region of its own, for messages that have up to so many parts. */
  constructor(region: Region, partsEach: 1 | 2) {
    this.region = region
    this.ints = region.ints
    this.partsEach = partsEach
    this.addresses = mostDatagrams * (header + partsEach * part)
    this.heads = this.addresses + mostDatagrams * address
    for (let index = 0; index < mostDatagrams; index++) {
      const word = (index * header) >> 2
      this.setPointer(word + field.address, region.address(this.addresses + index * address, address))
      this.setPointer(word + field.parts, region.address(this.partAt(index), partsEach * part))
      this.setAddressSize(index, address)
      this.setPartCount(index, partsEach)
    }
  }

  /** The address of `count` messages, beginning with one. */
  address(first: number, count: number): number {
    return this.region.address(first * header, count * header)
  }

  /** Bytes of a received message. */
  sizeOf(index: number): number {
    return this.ints[(index * header + field.size * 4) >> 2]!
  }

  /** The index in `region.ints` of the address of a message. */
  addressWord(index: number): number {
    return (this.addresses + index * address) >> 2
  }

  /** The kernel reads the room for an address here, and writes the size of what is there. */
  setAddressSize(index: number, size = address): void {
    this.ints[((index * header) >> 2) + field.addressSize] = size
  }

  setPartCount(index: number, count: number): void {
    this.ints[((index * header) >> 2) + field.partCount] = count
  }

  /** Sets a part of a message to `size` bytes at `offset` of a region. */
  setPart(index: number, number: number, region: Region, offset: number, size: number): void {
    const word = (this.partAt(index) + number * part) >> 2
    this.setPointer(word, region.address(offset, size))
    this.ints[word + 2] = size
  }

  /** Makes these bytes the first part of a message. Returns false if there is no room for so many. */
  setHead(index: number, bytes: Uint8Array): boolean {
    if (this.partsEach < 2 || bytes.length > head) return false
    const at = this.heads + index * head
    this.region.bytes.set(bytes, at)
    this.setPart(index, 0, this.region, at, bytes.length)
    return true
  }

  private partAt(index: number): number {
    return mostDatagrams * header + index * this.partsEach * part
  }

  private setPointer(word: number, pointer: number): void {
    this.ints[word] = pointer | 0
    this.ints[word + 1] = Math.floor(pointer / 2 ** 32)
  }
}
