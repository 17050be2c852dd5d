/**
 * System calls on descriptors. Each returns a number, or the negated error code.
 *
 * Bytes and addresses go by the regions of `Memory`: what one call leaves there is valid until the next call that uses
 * the same region.
 */
import { constants } from "node:os"
import { getSystemErrorName } from "node:util"
import * as NetAddress from "effect/net/NetAddress"
import type { Libc } from "./Libc.ts"
import type { Memory } from "./Memory.ts"
import * as SocketAddress from "./SocketAddress.ts"

const { errno } = constants

/** Results of system calls that are no failures of a connection. */
export const again = -errno.EAGAIN
export const inProgress = -errno.EINPROGRESS
const interrupted = -errno.EINTR

/** The name of a negated error code, such as ECONNREFUSED. */
export const nameOf = (result: number): string => getSystemErrorName(result)

/** Results that say that the process or the machine has no descriptor or memory left. */
export const isShortage = (result: number): boolean =>
  result === -errno.EMFILE ||
  result === -errno.ENFILE ||
  result === -errno.ENOBUFS ||
  result === -errno.ENOMEM

/** Results of `send` after which the same call succeeds later: the socket is full, or the system has no buffer. */
export const isFull = (result: number): boolean => result === again || result === noBuffer
export const noBuffer = -errno.ENOBUFS

/** Results of `splice` on a system that refuses the call. */
export const isRefused = (result: number): boolean =>
  result === -errno.ENOSYS || result === -errno.EPERM || result === -errno.EINVAL || result === -errno.EACCES

/** What `epoll_wait` reports of a descriptor. */
export const Ready = {
  input: 0x001,
  output: 0x004,
  error: 0x008,
  hungUp: 0x010,
  /** The other side has sent FIN. */
  ended: 0x2000
} as const
const edgeTriggered = 0x8000_0000 | 0

// The constants of Linux, which are the same on x64 and arm64.
const family = { unix: 1, ipv4: 2, ipv6: 10 }
const kind = { stream: 1, datagram: 2 }
const nonBlocking = 0o4000
const closeOnExec = 0o2000000
const level = { ip: 0, socket: 1, tcp: 6, ipv6: 41 }
const option = {
  ...{ reuseAddress: 2, error: 4, sendBuffer: 7, receiveBuffer: 8, keepAlive: 9, linger: 13 },
  ...{ reusePort: 15, domain: 39 }
}
const tcpOption = { noDelay: 1, keepIdle: 4, keepInterval: 5, keepCount: 6 }
const ipOption = { freeBind: 15, bindAddressNoPort: 24 }
const ipv6Only = 26
const ipv6FreeBind = 78
const noSignal = 0x4000
const splicing = { move: 1, nonBlocking: 2 }
const control = { add: 1, modify: 3 }
const command = { setFlags: 4, getFlags: 3, duplicate: 1030, setPipeSize: 1031 }
const writing = 1

/** The layout of `struct epoll_event` in 32-bit words: packed on x64. */
const layout = process.arch === "x64" ? { words: 3, data: 1 } : { words: 4, data: 2 }

// Offsets in the scratch region.
const value = 0
const length = 16
const event = 32

export class System {
  readonly memory: Memory
  private readonly calls: Libc["calls"]
  private readonly errno: Int32Array

  constructor({ memory, calls, errno }: Omit<Libc, "poll">) {
    this.memory = memory
    this.calls = calls
    this.errno = errno
  }

  /** A TCP socket for this family of addresses. */
  tcpSocket(isIpv4: boolean): number {
    return this.result(
      this.calls.socket(isIpv4 ? family.ipv4 : family.ipv6, kind.stream | nonBlocking | closeOnExec, 0)
    )
  }

  unixSocket(): number {
    return this.result(this.calls.socket(family.unix, kind.stream | nonBlocking | closeOnExec, 0))
  }

  /** A UDP socket for this family of addresses. */
  udpSocket(isIpv4: boolean): number {
    return this.result(
      this.calls.socket(isIpv4 ? family.ipv4 : family.ipv6, kind.datagram | nonBlocking | closeOnExec, 0)
    )
  }

  bind(fd: number, address: NetAddress.IpAddress, port: number): number {
    const size = SocketAddress.write(this.memory.address, address, port)
    return this.result(this.calls.bind(fd, this.memory.address.address(0, size), size))
  }

  /**
   * Binds a socket to the address from which it connects. The address need not be one of this machine (IP_FREEBIND). The
   * port is taken when the socket connects, so that connections to different targets can have the same one (ip(7)).
   */
  bindSource(fd: number, address: NetAddress.IpAddress): number {
    this.freeBind(fd, NetAddress.isIpv4Address(address))
    this.setOption(fd, level.ip, ipOption.bindAddressNoPort, 1)
    return this.bind(fd, address, 0)
  }

  /** Lets a socket be bound to an address that is none of this machine. */
  freeBind(fd: number, isIpv4: boolean): void {
    if (isIpv4) this.setOption(fd, level.ip, ipOption.freeBind, 1)
    else this.setOption(fd, level.ipv6, ipv6FreeBind, 1)
  }

  bindPath(fd: number, path: string): number {
    const size = SocketAddress.writePath(this.memory.address, path)
    if (size === undefined) return -errno.ENAMETOOLONG
    return this.result(this.calls.bind(fd, this.memory.address.address(0, size), size))
  }

  listen(fd: number, backlog: number): number {
    return this.result(this.calls.listen(fd, backlog))
  }

  /** Accepts a connection. Its address is in the address region. */
  accept(fd: number): number {
    const { address, scratch } = this.memory
    scratch.ints[length >> 2] = address.size
    const at = address.address(0, address.size)
    return this.result(this.calls.accept4(fd, at, scratch.address(length, 4), nonBlocking | closeOnExec))
  }

  connect(fd: number, address: NetAddress.IpAddress, port: number): number {
    const size = SocketAddress.write(this.memory.address, address, port)
    return this.result(this.calls.connect(fd, this.memory.address.address(0, size), size))
  }

  /** Puts the local address of a socket into the address region. */
  localAddress(fd: number): number {
    const { address, scratch } = this.memory
    scratch.ints[length >> 2] = address.size
    return this.result(
      this.calls.getsockname(fd, address.address(0, address.size), scratch.address(length, 4))
    )
  }

  /** The pending error of a socket, negated; 0 if there is none. Clears the error. */
  pendingError(fd: number): number {
    const result = this.integerOption(fd, option.error)
    return result > 0 ? -result : result
  }

  /** Whether a socket is a Unix-domain socket. */
  isUnix(fd: number): boolean {
    return this.integerOption(fd, option.domain) === family.unix
  }

  noDelay(fd: number): number {
    return this.setOption(fd, level.tcp, tcpOption.noDelay, 1)
  }

  reuseAddress(fd: number): number {
    return this.setOption(fd, level.socket, option.reuseAddress, 1)
  }

  reusePort(fd: number): number {
    return this.setOption(fd, level.socket, option.reusePort, 1)
  }

  /** Lets a socket of `::` take connections of IPv4, too. */
  dualStack(fd: number): number {
    return this.setOption(fd, level.ipv6, ipv6Only, 0)
  }

  /** Keeps a socket of IPv6 from taking IPv4. */
  noIpv4(fd: number): number {
    return this.setOption(fd, level.ipv6, ipv6Only, 1)
  }

  /** Sets the bytes that the kernel keeps in each direction, within the limits that the kernel has. */
  bufferSizes(fd: number, receive: number, send: number): void {
    this.setOption(fd, level.socket, option.receiveBuffer, receive)
    this.setOption(fd, level.socket, option.sendBuffer, send)
  }

  /** Probes a silent connection after `idle` seconds, and gives it up after `count` probes without an answer. */
  keepAlive(fd: number, idle: number, interval: number, count: number): void {
    this.setOption(fd, level.socket, option.keepAlive, 1)
    this.setOption(fd, level.tcp, tcpOption.keepIdle, idle)
    this.setOption(fd, level.tcp, tcpOption.keepInterval, interval)
    this.setOption(fd, level.tcp, tcpOption.keepCount, count)
  }

  /** Reads at most `size` bytes into the input region. 0 is the end. */
  read(fd: number, size: number): number {
    const at = this.memory.input.address(0, size)
    let result: number
    do result = this.result(this.calls.read(fd, at, size))
    while (result === interrupted)
    return result
  }

  /** Sends bytes of the input region. */
  sendInput(fd: number, size: number): number {
    return this.send(fd, this.memory.input.address(0, size), size)
  }

  /** Sends bytes of the output region. */
  sendOutput(fd: number, size: number): number {
    return this.send(fd, this.memory.output.address(0, size), size)
  }

  private send(fd: number, at: number, size: number): number {
    let result: number
    do result = this.result(this.calls.send(fd, at, size, noSignal))
    while (result === interrupted)
    return result
  }

  /** Sends bytes of the output region as one datagram, to the address at the beginning of the address region. */
  sendTo(fd: number, size: number, addressSize: number): number {
    const { output, address } = this.memory
    const at = output.address(0, size)
    const to = address.address(0, addressSize)
    let result: number
    do result = this.result(this.calls.sendto(fd, at, size, noSignal, to, addressSize))
    while (result === interrupted)
    return result
  }

  /** Receives datagrams into the `count` messages at this address. Returns their number. */
  receiveMessages(fd: number, messages: number, count: number): number {
    let result: number
    do result = this.result(this.calls.recvmmsg(fd, messages, count, 0, 0))
    while (result === interrupted)
    return result
  }

  /** Sends the `count` messages at this address. Returns the number of those sent; an error is that of the first. */
  sendMessages(fd: number, messages: number, count: number): number {
    let result: number
    do result = this.result(this.calls.sendmmsg(fd, messages, count, noSignal))
    while (result === interrupted)
    return result
  }

  /** Sends FIN. */
  shutdown(fd: number): number {
    return this.result(this.calls.shutdown(fd, writing))
  }

  close(fd: number): number {
    return this.result(this.calls.close(fd))
  }

  /** Closes with RST. */
  reset(fd: number): number {
    const { scratch } = this.memory
    scratch.ints[value >> 2] = 1
    scratch.ints[(value >> 2) + 1] = 0
    this.calls.setsockopt(fd, level.socket, option.linger, scratch.address(value, 8), 8)
    return this.close(fd)
  }

  /** A second descriptor of the same socket. */
  duplicate(fd: number): number {
    return this.result(this.calls.fcntl(fd, command.duplicate, 0))
  }

  nonBlocking(fd: number): number {
    const flags = this.result(this.calls.fcntl(fd, command.getFlags, 0))
    return flags < 0 ? flags : this.result(this.calls.fcntl(fd, command.setFlags, flags | nonBlocking))
  }

  /** A pipe of about this size. The descriptors to read and to write are the first integers of the scratch region. */
  pipe(size: number): number {
    const { scratch } = this.memory
    const result = this.result(this.calls.pipe2(scratch.address(value, 8), nonBlocking | closeOnExec))
    // Beyond the quota of the user the pipe keeps its default size (pipe(7)).
    if (result === 0) this.calls.fcntl(scratch.ints[(value >> 2) + 1]!, command.setPipeSize, size)
    return result
  }

  get pipeReader(): number {
    return this.memory.scratch.ints[value >> 2]!
  }

  get pipeWriter(): number {
    return this.memory.scratch.ints[(value >> 2) + 1]!
  }

  /** Moves at most `size` bytes between a socket and a pipe, inside the kernel. */
  splice(from: number, to: number, size: number): number {
    let result: number
    do result = this.result(this.calls.splice(from, 0, to, 0, size, splicing.move | splicing.nonBlocking))
    while (result === interrupted)
    return result
  }

  epoll(): number {
    return this.result(this.calls.epoll_create1(closeOnExec))
  }

  /** Watches a connection edge-triggered, in both directions. Its events carry the generation. */
  watchConnection(epoll: number, fd: number, generation: number): number {
    const events = Ready.input | Ready.output | Ready.ended | edgeTriggered
    return this.control(epoll, control.add, fd, events, generation)
  }

  /** Watches a listener or a UDP socket level-triggered. */
  watchListener(epoll: number, fd: number, generation: number): number {
    return this.control(epoll, control.add, fd, Ready.input, generation)
  }

  /** Stops the events of a listener for a while, or starts them again. */
  setListening(epoll: number, fd: number, generation: number, isListening: boolean): number {
    return this.control(epoll, control.modify, fd, isListening ? Ready.input : 0, generation)
  }

  unwatch(epoll: number, fd: number): number {
    return this.result(this.calls.epoll_ctl(epoll, 2, fd, this.memory.scratch.address(event, 16)))
  }

  private control(epoll: number, operation: number, fd: number, events: number, generation: number): number {
    const { ints } = this.memory.scratch
    const at = event >> 2
    ints[at] = events
    ints[at + layout.data] = fd
    ints[at + layout.data + 1] = generation
    return this.result(this.calls.epoll_ctl(epoll, operation, fd, this.memory.scratch.address(event, 16)))
  }

  /** Reports what is ready now. Returns the number of events. */
  wait(epoll: number, most: number): number {
    const { events } = this.memory
    const at = events.address(0, most * layout.words * 4)
    let result: number
    do result = this.result(this.calls.epoll_wait(epoll, at, most, 0))
    while (result === interrupted)
    return result
  }

  eventsAt(index: number): number {
    return this.memory.events.ints[index * layout.words]!
  }

  descriptorAt(index: number): number {
    return this.memory.events.ints[index * layout.words + layout.data]!
  }

  generationAt(index: number): number {
    return this.memory.events.ints[index * layout.words + layout.data + 1]!
  }

  private setOption(fd: number, level: number, name: number, to: number): number {
    const { scratch } = this.memory
    scratch.ints[value >> 2] = to
    return this.result(this.calls.setsockopt(fd, level, name, scratch.address(value, 4), 4))
  }

  private integerOption(fd: number, name: number): number {
    const { scratch } = this.memory
    scratch.ints[length >> 2] = 4
    const at = scratch.address(value, 4)
    const result = this.result(this.calls.getsockopt(fd, level.socket, name, at, scratch.address(length, 4)))
    return result < 0 ? result : scratch.ints[value >> 2]!
  }

  private result(returned: number): number {
    return returned < 0 ? -this.errno[0]! : returned
  }
}
