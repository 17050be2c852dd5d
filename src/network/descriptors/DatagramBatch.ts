/**
 * Receives and sends datagrams, many with one system call.
 *
 * Received datagrams lie in memory until the next are received. Those that are passed on meanwhile are sent from there,
 * together, before that. Every other datagram is copied, and sent at once.
 */
import { constants } from "node:os"
import type { WhenSent } from "../UdpSocket.ts"
import { DatagramEndpoints, type DescriptorEndpoint } from "./DatagramEndpoints.ts"
import { datagramRoom, mostDatagrams } from "./Memory.ts"
import { MessageTable } from "./MessageTable.ts"
import { isFull, type System } from "./System.ts"

/** Bytes that are sent as soon as so many wait: a waiting datagram counts in the memory budget of its client. */
const mostBytes = 64 * 1024

const tooLong = -constants.errno.EMSGSIZE

export class DatagramBatch {
  private readonly system: System
  private readonly incoming: MessageTable
  private readonly outgoing: MessageTable
  private readonly endpoints = new DatagramEndpoints()
  private isLending = false
  /** The socket of the waiting datagrams. */
  private fd = -1
  private count = 0
  private size = 0
  private readonly callbacks: Array<WhenSent | undefined> = new Array(mostDatagrams).fill(undefined)
  private readonly results = new Int32Array(mostDatagrams)

  constructor(system: System) {
    const { incoming, outgoing, datagrams } = system.memory
    this.system = system
    this.incoming = new MessageTable(incoming, 1)
    this.outgoing = new MessageTable(outgoing, 2)
    for (let index = 0; index < mostDatagrams; index++) {
      this.incoming.setPart(index, 0, datagrams, index * datagramRoom, datagramRoom)
    }
  }

  /**
   * Receives what waits, and gives it to `receive`, which returns whether it takes the next. Returns the number of
   * datagrams, or the negated error code.
   */
  receive(
    fd: number,
    isIpv4: boolean,
    receive: (bytes: Buffer, from: DescriptorEndpoint) => boolean
  ): number {
    const { system, incoming } = this
    const { datagrams, incoming: region } = system.memory
    const count = system.receiveMessages(fd, incoming.address(0, mostDatagrams), mostDatagrams)
    if (count <= 0) return count
    for (let index = 0; index < count; index++) incoming.setAddressSize(index)
    this.isLending = true
    try {
      for (let index = 0; index < count; index++) {
        const start = index * datagramRoom
        const from = this.endpoints.at(region.ints, incoming.addressWord(index), isIpv4)
        if (!receive(datagrams.bytes.subarray(start, start + incoming.sizeOf(index)), from)) break
      }
    } finally {
      this.isLending = false
      this.flush()
    }
    return count
  }

  /** Sends a datagram: see `UdpSocket.send`. */
  send(
    fd: number,
    bytes: Buffer,
    from: number,
    to: DescriptorEndpoint,
    whenSent: WhenSent,
    head?: Uint8Array
  ): void {
    const { datagrams, outgoing: region } = this.system.memory
    const isLent = this.isLending && bytes.buffer === datagrams.bytes.buffer
    if (this.count > 0 && (!isLent || fd !== this.fd || this.count === mostDatagrams)) this.flush()
    const index = this.count
    const { outgoing } = this
    const hasHead = head !== undefined && outgoing.setHead(index, head)
    if (!isLent || (head !== undefined && !hasHead)) {
      whenSent(this.sendCopy(fd, bytes, from, to, head))
      return
    }
    const part = hasHead ? 1 : 0
    const size = bytes.length - from
    outgoing.setPart(index, part, datagrams, bytes.byteOffset - datagrams.bytes.byteOffset + from, size)
    outgoing.setPartCount(index, part + 1)
    outgoing.setAddressSize(index, to.size)
    to.write(region.ints, outgoing.addressWord(index))
    this.callbacks[index] = whenSent
    this.fd = fd
    this.count++
    this.size += size
    if (this.size >= mostBytes) this.flush()
  }

  /** Sends the datagrams that wait. To be called before a socket is closed. */
  flush(): void {
    const { count, fd, system, outgoing, results, callbacks } = this
    this.count = 0
    this.size = 0
    let done = 0
    while (done < count) {
      const sent = system.sendMessages(fd, outgoing.address(done, count - done), count - done)
      // A full socket takes none of the others either: all are dropped, as a router would.
      const end = sent > 0 ? done + sent : isFull(sent) ? count : done + 1
      results.fill(Math.min(sent, 0), done, end)
      done = end
    }
    for (let index = 0; index < count; index++) {
      const whenSent = callbacks[index]
      callbacks[index] = undefined
      whenSent?.(results[index] === 0 ? null : results[index])
    }
  }

  /** Returns null, or the negated error code. */
  private sendCopy(
    fd: number,
    bytes: Buffer,
    from: number,
    to: DescriptorEndpoint,
    head: Uint8Array | undefined
  ): number | null {
    const { output, address } = this.system.memory
    const start = head?.length ?? 0
    const size = start + bytes.length - from
    if (size > output.size) return tooLong
    if (head !== undefined) output.bytes.set(head)
    bytes.copy(output.bytes, start, from)
    to.write(address.ints, 0)
    const sent = this.system.sendTo(fd, size, to.size)
    return sent < 0 ? sent : null
  }
}
