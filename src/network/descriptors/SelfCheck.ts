/**
 * Tries, before the first connection, every layout and call that the descriptor transport relies on.
 */
import * as NetAddress from "effect/net/NetAddress"
import { DatagramBatch } from "./DatagramBatch.ts"
import { endpoint } from "./DatagramEndpoints.ts"
import type { Libc } from "./Libc.ts"
import * as SocketAddress from "./SocketAddress.ts"
import { again, inProgress, isRefused, nameOf, Ready, System } from "./System.ts"

/** What was found out about the system. */
export interface Findings {
  /** Whether the system refuses to splice: then bytes are copied. */
  readonly refusesSplice: boolean
  /** What is wrong with datagrams; undefined if nothing is. */
  readonly lackingUdp: string | undefined
}

/** Throws an error that names what is not as expected. */
export const run = (libc: Libc): Findings => {
  const system = new System(libc)
  const opened: Array<number> = []
  /** A descriptor, which is closed at the end. */
  const held = (what: string, fd: number): number => {
    if (fd < 0) throw new Error(`${what} failed (${nameOf(fd)})`)
    opened.push(fd)
    return fd
  }
  try {
    return check(libc, system, held)
  } finally {
    for (const fd of opened) system.close(fd)
  }
}

const loopback = NetAddress.ipv4Loopback

const check = (libc: Libc, system: System, held: (what: string, fd: number) => number): Findings => {
  const { memory } = system
  expect("errno", nameOf(system.close(-1)) === "EBADF")
  const beyond = memory.input.address(0, 0) - 1024 * 1024
  expect("a wrong address", libc.calls.read(-1, beyond, 1) === -1)

  const epoll = held("epoll_create1", system.epoll())
  const listener = held("socket", system.tcpSocket(true))
  expect("bind", system.bind(listener, loopback, 0) === 0)
  expect("setsockopt", system.noDelay(listener) === 0)
  expect("listen", system.listen(listener, 1) === 0)
  expect("getsockname", system.localAddress(listener) === 0)
  const bound = SocketAddress.read(memory.address)
  expect("sockaddr_in", bound.port > 0 && NetAddress.isLoopback(bound.address))
  expect("epoll_ctl", system.watchListener(epoll, listener, -2) === 0)

  const client = held("socket", system.tcpSocket(true))
  const connecting = system.connect(client, loopback, bound.port)
  expect("connect", connecting === 0 || connecting === inProgress)
  expect("epoll_wait", system.wait(epoll, 8) === 1)
  expect(
    "epoll_event",
    system.eventsAt(0) === Ready.input && system.descriptorAt(0) === listener && system.generationAt(0) === -2
  )
  const accepted = held("accept4", system.accept(listener))
  expect("the address of accept4", NetAddress.isLoopback(SocketAddress.read(memory.address).address))
  expect("getsockopt", system.pendingError(client) === 0 && !system.isUnix(client))

  memory.output.bytes[0] = 42
  expect("send", system.sendOutput(client, 1) === 1)
  expect("read", system.read(accepted, 9) === 1 && memory.input.bytes[0] === 42)
  expect("O_NONBLOCK", system.read(accepted, 9) === again)
  const refusesSplice = !canSplice(system, held, client, accepted)
  expect("shutdown", system.shutdown(accepted) === 0 && system.read(client, 1) === 0)

  expect("fcntl", system.nonBlocking(held("fcntl", system.duplicate(accepted))) === 0)
  system.keepAlive(client, 60, 10, 6)
  const lackingUdp = datagramsLack(system, held)
  expect("the memory between two regions", memory.isIntact())
  return { refusesSplice, lackingUdp }
}

/** What is wrong with datagrams. */
const datagramsLack = (system: System, held: (what: string, fd: number) => number): string | undefined => {
  try {
    checkDatagrams(system, held)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Two datagrams go to and fro between two sockets. */
const checkDatagrams = (system: System, held: (what: string, fd: number) => number): void => {
  const batch = new DatagramBatch(system)
  const open = () => {
    const fd = held("socket", system.udpSocket(true))
    expect("bind", system.bind(fd, loopback, 0) === 0 && system.localAddress(fd) === 0)
    return { fd, at: endpoint(SocketAddress.read(system.memory.address)) }
  }
  const [one, other] = [open(), open()]
  const errors: Array<unknown> = []
  const whenSent = (error: unknown) => void errors.push(error)
  batch.send(one.fd, Buffer.from("abc"), 0, other.at, whenSent)
  batch.send(one.fd, Buffer.from(""), 0, other.at, whenSent)
  expect("sendto", errors.join() === ",")
  const texts: Array<string> = []
  const receive = (fd: number, answer: (bytes: Buffer) => void, sender: typeof one) => {
    let result = again
    let count = 0
    // The kernel may need a moment to deliver.
    for (let tries = 0; tries < mostTries && count < 2; tries++) {
      result = batch.receive(fd, true, (bytes, from) => {
        texts.push(`${from.key === sender.at.key} ${bytes}`)
        answer(bytes)
        return true
      })
      if (result > 0) count += result
      else if (result !== again) break
    }
    expect(`recvmmsg (${result < 0 ? nameOf(result) : result})`, count === 2)
  }
  const answer = (bytes: Buffer) =>
    batch.send(other.fd, bytes, Math.min(1, bytes.length), one.at, whenSent, Buffer.from("head"))
  receive(other.fd, answer, one)
  expect("sendmmsg", errors.join() === ",,,")
  receive(one.fd, () => {}, other)
  expect("mmsghdr", texts.join() === "true abc,true ,true headbc,true head")
}

const mostTries = 1000

/** Whether bytes can be moved by a pipe. Throws where the call does something else than move or refuse. */
const canSplice = (
  system: System,
  held: (what: string, fd: number) => number,
  from: number,
  to: number
): boolean => {
  if (system.pipe(4096) !== 0) return false
  const reader = held("pipe2", system.pipeReader)
  const writer = held("pipe2", system.pipeWriter)
  expect("send", system.sendOutput(from, 1) === 1)
  const moved = system.splice(to, writer, 100)
  if (isRefused(moved)) {
    system.read(to, 9)
    return false
  }
  expect("splice", moved === 1 && system.splice(reader, to, 1) === 1)
  expect("splice", system.read(from, 9) === 1 && system.memory.input.bytes[0] === 42)
  return true
}

const expect = (what: string, isSo: boolean): void => {
  if (!isSo) throw new Error(`${what} is not as expected here`)
}
