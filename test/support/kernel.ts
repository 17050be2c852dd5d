/**
 * A kernel in memory, behind the functions of libc that the descriptor transport calls. A test says what each socket
 * receives and how much it takes, and runs the turns of the event loop.
 */
import { constants } from "node:os"
import { DescriptorTransport, type Loop } from "../../src/network/descriptors/DescriptorTransport.ts"
import type { Libc } from "../../src/network/descriptors/Libc.ts"
import * as Memory from "../../src/network/descriptors/Memory.ts"
import { Pipes } from "../../src/network/descriptors/Pipes.ts"
import { Poller } from "../../src/network/descriptors/Poller.ts"
import { Ready, System } from "../../src/network/descriptors/System.ts"

const { errno: codes } = constants

type Code = keyof typeof codes

/** A datagram, with the socket address (`SocketAddress`) of the other side. */
export interface FakeDatagram {
  readonly address: Buffer
  readonly bytes: Buffer
}

/** A socket, or one end of a pipe. */
export class FakeSocket {
  /** What the next calls of `read` give: bytes, the end, or an error. At the end of the list `read` gives EAGAIN. */
  readonly incoming: Array<Buffer | "end" | Code> = []
  /** The bytes that the socket takes before it is full. */
  room = Number.POSITIVE_INFINITY
  /** What the next calls of `send` fail with. */
  readonly refusals: Array<Code> = []
  /** What the next sent datagrams fail with; undefined for one that is taken. */
  readonly refusedDatagrams: Array<Code | undefined> = []
  readonly sent: Array<Buffer> = []
  pending: Code | undefined = undefined
  /** What the next calls of `recvmmsg` give. */
  readonly datagrams: Array<FakeDatagram | Code> = []
  /** The datagrams that were sent, and where to. */
  readonly sentTo: Array<FakeDatagram> = []
  isShut = false
  isReset = false
  generation = 0

  get text(): string {
    return Buffer.concat(this.sent).toString()
  }

  receive(...parts: ReadonlyArray<Buffer | string | { readonly code: Code }>): this {
    for (const part of parts) {
      if (typeof part === "string") this.incoming.push(Buffer.from(part))
      else if (Buffer.isBuffer(part)) this.incoming.push(part)
      else this.incoming.push(part.code)
    }
    return this
  }
}

export const make = () => {
  const buffer = new ArrayBuffer(Memory.size)
  const bytes = Buffer.from(buffer)
  const memory = Memory.cut(buffer, 0)
  const errno = new Int32Array(1)
  const open = new Map<number, FakeSocket>()
  /** The numbers of the calls so far, by name. */
  const counts = new Map<string, number>()
  /** What the next calls fail with, by name. */
  const failures = new Map<string, Array<Code>>()
  const reports: Array<unknown> = []
  let events: Array<readonly [fd: number, generation: number, events: number]> = []
  let queue: Array<FakeSocket | Code> = []
  let turn = () => {}
  let isReferenced = false

  const fail = (code: Code): number => {
    errno[0] = codes[code]
    return -1
  }
  const add = (socket: FakeSocket): number => {
    let fd = 3
    while (open.has(fd)) fd++
    open.set(fd, socket)
    return fd
  }
  const take = (fd: number, at: number, size: number): number => {
    const socket = open.get(fd)
    if (socket === undefined) return fail("EBADF")
    const [first] = socket.incoming
    if (first === undefined) return fail("EAGAIN")
    if (first === "end") return 0
    if (!Buffer.isBuffer(first)) {
      socket.incoming.shift()
      return fail(first)
    }
    const count = first.copy(bytes, at, 0, size)
    if (count < first.length) socket.incoming[0] = first.subarray(count)
    else socket.incoming.shift()
    return count
  }
  const put = (fd: number, from: Buffer): number => {
    const socket = open.get(fd)
    if (socket === undefined) return fail("EBADF")
    const refusal = socket.refusals.shift()
    if (refusal !== undefined) return fail(refusal)
    const count = Math.min(socket.room, from.length)
    if (count === 0 && from.length > 0) return fail("EAGAIN")
    socket.room -= count
    socket.sent.push(Buffer.from(from.subarray(0, count)))
    return count
  }

  const piece = (at: number, size: number): Buffer => bytes.subarray(at, at + size)
  const pointer = (at: number): number => Number(bytes.readBigInt64LE(at))
  /** A `struct mmsghdr`. */
  const message = (header: number) => {
    const address = piece(pointer(header), bytes.readInt32LE(header + 8))
    const parts = Array.from({ length: pointer(header + 24) }, (_, index) => {
      const part = pointer(header + 16) + index * 16
      return piece(pointer(part), pointer(part + 8))
    })
    return { header, address, parts }
  }
  const emit = (socket: FakeSocket, sent: Buffer, address: Buffer): number => {
    const refusal = socket.refusedDatagrams.shift()
    if (refusal !== undefined) return fail(refusal)
    socket.sentTo.push({ address: Buffer.from(address), bytes: Buffer.from(sent) })
    return sent.length
  }

  const all: Libc["calls"] = {
    socket: () => add(new FakeSocket()),
    setsockopt: (fd, level, name) => {
      // SO_LINGER
      if (level === 1 && name === 13) open.get(fd!)!.isReset = true
      return 0
    },
    getsockopt: (fd, _level, name, at) => {
      const socket = open.get(fd!)!
      // SO_ERROR
      const value = name === 4 && socket.pending !== undefined ? codes[socket.pending] : 0
      bytes.writeInt32LE(value, at)
      return 0
    },
    bind: () => 0,
    listen: () => 0,
    accept4: (_, at) => {
      const next = queue.shift()
      if (next === undefined) return fail("EAGAIN")
      if (typeof next === "string") return fail(next)
      bytes.set([2, 0, 4, 210, 127, 0, 0, 1], at)
      return add(next)
    },
    connect: () => fail("EINPROGRESS"),
    getsockname: (_, at) => {
      bytes.set([2, 0, 4, 211, 127, 0, 0, 1], at)
      return 0
    },
    read: (fd, at, size) => take(fd!, at!, size!),
    send: (fd, at, size) => put(fd!, bytes.subarray(at!, at! + size!)),
    sendto: (fd, at, size, _flags, address, addressSize) =>
      emit(open.get(fd!)!, piece(at!, size!), piece(address!, addressSize!)),
    recvmmsg: (fd, at, most) => {
      const { datagrams } = open.get(fd!)!
      if (datagrams.length === 0) return fail("EAGAIN")
      let count = 0
      for (; count < most! && datagrams.length > 0; count++) {
        const [next] = datagrams
        if (typeof next === "string") break
        datagrams.shift()
        const { header, address, parts } = message(at! + count * 64)
        next!.address.copy(address)
        bytes.writeInt32LE(next!.address.length, header + 8)
        bytes.writeInt32LE(next!.bytes.copy(parts[0]!), header + 56)
      }
      return count > 0 ? count : fail(datagrams.shift() as Code)
    },
    sendmmsg: (fd, at, count) => {
      const socket = open.get(fd!)!
      for (let index = 0; index < count!; index++) {
        // An error of another than the first is that of the next call.
        if (index > 0 && socket.refusedDatagrams[0] !== undefined) return index
        const { address, parts } = message(at! + index * 64)
        if (emit(socket, Buffer.concat(parts), address) < 0) return -1
      }
      return count!
    },
    shutdown: (fd) => {
      open.get(fd!)!.isShut = true
      return 0
    },
    close: (fd) => (open.delete(fd!) ? 0 : fail("EBADF")),
    fcntl: () => 0,
    pipe2: (at) => {
      const pipe = new FakeSocket()
      bytes.writeInt32LE(add(pipe), at)
      bytes.writeInt32LE(add(pipe), at! + 4)
      return 0
    },
    splice: (from, _, to, __, size) => {
      const source = open.get(from!)!
      const [first] = source.incoming
      if (first === undefined) return fail("EAGAIN")
      if (first === "end") return 0
      if (!Buffer.isBuffer(first)) return fail(first)
      const target = open.get(to!)!
      const isPipe = [...open.values()].filter((each) => each === target).length === 2
      const piece = first.subarray(0, size)
      if (isPipe) target.incoming.push(Buffer.from(piece))
      const count = isPipe ? piece.length : put(to!, piece)
      if (count < 0) return count
      if (count < first.length) source.incoming[0] = first.subarray(count)
      else source.incoming.shift()
      return count
    },
    epoll_create1: () => add(new FakeSocket()),
    epoll_ctl: (_, operation, fd, at) => {
      const socket = open.get(fd!)!
      const data = process.arch === "x64" ? 4 : 8
      if (operation !== 2) socket.generation = bytes.readInt32LE(at! + data + 4)
      return 0
    },
    epoll_wait: () => {
      const now = events
      events = []
      const words = process.arch === "x64" ? 3 : 4
      const data = process.arch === "x64" ? 1 : 2
      now.forEach(([fd, generation, what], index) => {
        memory.events.ints[index * words] = what
        memory.events.ints[index * words + data] = fd
        memory.events.ints[index * words + data + 1] = generation
      })
      return now.length
    }
  }
  const calls = Object.fromEntries(
    Object.entries(all).map(([name, call]) => [
      name,
      (...args: ReadonlyArray<number>) => {
        counts.set(name, (counts.get(name) ?? 0) + 1)
        const failure = failures.get(name)?.shift()
        return failure === undefined ? call(...args) : fail(failure)
      }
    ])
  ) as unknown as Libc["calls"]

  const system = new System({ memory, errno, calls })
  const handle = {
    ref: () => {
      isReferenced = true
    },
    unref: () => {
      isReferenced = false
    },
    close: () => {}
  }
  const poll = ((_fd: number, _options: unknown, callback: () => void) => {
    turn = callback
    return handle
  }) as unknown as Libc["poll"]
  // Its time stands still, so that no turn ends early on a busy machine.
  const poller = new Poller(system, poll, () => 0)
  const pipes = new Pipes(system)
  const loop: Loop = { system, poller, pipes, report: (defect) => void reports.push(defect) }

  return {
    ...{ memory, system, poller, pipes, loop, reports, open, handle },
    isReferenced: () => isReferenced,
    /** The number of calls of a function so far. */
    count: (name: keyof Libc["calls"]): number => counts.get(name) ?? 0,
    /** Has the next calls of a function fail. */
    fail: (name: keyof Libc["calls"], ...codes: ReadonlyArray<Code>) => void failures.set(name, [...codes]),
    /** Runs a turn with these events. */
    turn: (...now: ReadonlyArray<readonly [fd: number, events: number]>) => {
      events = now.map(([fd, what]) => [fd, open.get(fd)!.generation, what] as const)
      turn()
    },
    /** Runs a turn with an event of an older generation. */
    stale: (fd: number, generation: number) => {
      events = [[fd, generation, Ready.input]]
      turn()
    },
    /** What `accept4` gives next. */
    connecting: (...next: ReadonlyArray<FakeSocket | Code>) => {
      queue = [...next]
    },
    /** An accepted connection. */
    connection: () => {
      const socket = new FakeSocket()
      const fd = add(socket)
      const transport = new DescriptorTransport(loop, fd, true, true)
      poller.watch(transport)
      return { socket, fd, transport }
    }
  }
}
