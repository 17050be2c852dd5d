/**
 * Connects and listens on descriptors.
 */

import { lookup } from "node:dns/promises"
import { unlinkSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { naming } from "../Peer.ts"
import type { Bound, Listening, ListenOptions, Place, Sockets } from "../Transport.ts"
import { DescriptorListener } from "./DescriptorListener.ts"
import { DescriptorTransport, type Loop } from "./DescriptorTransport.ts"
import * as SocketAddress from "./SocketAddress.ts"
import { nameOf, type System } from "./System.ts"

/** Sockets that share this event loop. */
export const make = (loop: Loop): Sockets => ({ connect: connect(loop), listen: listen(loop) })

const connect =
  (loop: Loop): Sockets["connect"] =>
  (address, port, done, from) => {
    const fd = socketFrom(loop.system, NetAddress.isIpv4Address(address), from)
    const transport = new DescriptorTransport(loop, fd, true, false)
    if (fd < 0) setImmediate(() => done(nameOf(fd)))
    else transport.connect(address, port, done)
    return transport
  }

/** A socket that leaves from this address; a negated error code if there is none. */
const socketFrom = (system: System, isIpv4: boolean, from: NetAddress.IpAddress | undefined): number => {
  const fd = system.tcpSocket(isIpv4)
  if (fd < 0 || from === undefined) return fd
  const result = system.bindSource(fd, from)
  if (result === 0) return fd
  system.close(fd)
  return result
}

const listen = (loop: Loop): Sockets["listen"] =>
  Effect.fnUntraced(function* (options) {
    const { place } = options
    const address = "host" in place ? yield* addressOf(place.host) : undefined
    return yield* Effect.acquireRelease(
      Effect.suspend(() => {
        const result = start(loop, address, options)
        return typeof result === "number" ? Effect.fail(nameOf(result)) : Effect.succeed(result)
      }),
      ({ stop }) => Effect.sync(stop)
    )
  })

/** Listens. Returns a negated error code if that fails. */
const start = (
  loop: Loop,
  address: NetAddress.IpAddress | undefined,
  { place, backlog, binding = bindAtOnce, onConnection, onShortage }: ListenOptions
): Listening | number => {
  const { system, poller, pipes, report } = loop
  const opened = open(system, place, address, backlog, binding)
  if (typeof opened === "number") return opened
  const { fd, bound } = opened
  const isTcp = bound._tag !== "UnixPathAddress"
  const peerOf = naming(
    bound,
    // `accept` has left it there.
    () => SocketAddress.read(system.memory.address),
    sharedLocal(system)
  )
  const onDescriptor = (accepted: number) => {
    const peer = peerOf(accepted)
    const transport = new DescriptorTransport(loop, accepted, isTcp, true)
    if (poller.watch(transport) < 0) {
      transport.close()
      return
    }
    try {
      onConnection(transport, peer)
    } catch (defect) {
      transport.crashed(defect)
    }
  }
  const listener = new DescriptorListener(fd, { system, poller, pipes, report, onShortage, onDescriptor })
  const stop = () => {
    if (listener.fd < 0) return
    listener.close()
    if ("path" in place && !("fd" in place)) remove(place.path)
  }
  const result = poller.watchListener(listener)
  if (result === 0) return { bound, stop }
  stop()
  return result
}

const bindAtOnce = (bind: () => void): void => bind()

/** The address of a host; of a name the first that the system gives, as with Node. */
export const addressOf = (host: string): Effect.Effect<NetAddress.IpAddress, string> => {
  const parsed = NetAddress.ipFromString(host)
  return Result.isSuccess(parsed)
    ? Effect.succeed(parsed.success)
    : Effect.map(
        Effect.tryPromise({
          try: () => lookup(host),
          catch: (error) => (error as NodeJS.ErrnoException).code ?? String(error)
        }),
        ({ address }) => NetAddress.ipFromStringUnsafe(address)
      )
}

interface Open {
  readonly fd: number
  readonly bound: Bound
}

/** A listening socket, or a negated error code. */
const open = (
  system: System,
  place: Place,
  address: NetAddress.IpAddress | undefined,
  backlog: number,
  binding: NonNullable<ListenOptions["binding"]>
): Open | number => {
  const fd = socketOf(system, place, address)
  if (fd < 0) return fd
  const failed = prepare(system, fd, place, address, backlog, binding)
  const bound = failed < 0 ? failed : boundOf(system, fd, place)
  if (typeof bound !== "number") return { fd, bound }
  system.close(fd)
  return bound
}

const socketOf = (system: System, place: Place, address: NetAddress.IpAddress | undefined): number => {
  // A descriptor that was passed stays open, for a later listener of the same place.
  if ("fd" in place) return system.duplicate(place.fd)
  return address === undefined ? system.unixSocket() : system.tcpSocket(NetAddress.isIpv4Address(address))
}

const prepare = (
  system: System,
  fd: number,
  place: Place,
  address: NetAddress.IpAddress | undefined,
  backlog: number,
  binding: NonNullable<ListenOptions["binding"]>
): number => {
  let result = 0
  if ("fd" in place) result = system.nonBlocking(fd)
  else if ("path" in place) {
    binding(() => {
      result = system.bindPath(fd, place.path)
    })
  } else {
    system.reuseAddress(fd)
    if (NetAddress.isIpv6Address(address)) system.dualStack(fd)
    if (place.sharing === "shared") result = system.reusePort(fd)
    if (place.isFree) system.freeBind(fd, NetAddress.isIpv4Address(address))
    if (result === 0) {
      binding(() => {
        result = system.bind(fd, address!, place.port)
      })
    }
  }
  if (result < 0) return result
  // The sockets of accepted connections inherit this.
  if (!("path" in place && place.path !== undefined)) system.noDelay(fd)
  return system.listen(fd, backlog)
}

const boundOf = (system: System, fd: number, place: Place): Bound | number => {
  if ("path" in place && place.path !== undefined) return NetAddress.unixPathAddress(place.path)
  if (system.isUnix(fd)) return NetAddress.unixPathAddress("")
  const result = system.localAddress(fd)
  if (result < 0) return result
  const { address, port } = SocketAddress.read(system.memory.address)
  return Host.hostPortUnsafe(address, port)
}

/** Connections with the same local address share one object for that address, to save memory. */
const sharedLocal = (system: System): ((fd: number) => NetAddress.InetAddress | undefined) => {
  let last: NetAddress.InetAddress | undefined
  return (fd) => {
    if (system.localAddress(fd) < 0) return undefined
    const local = SocketAddress.read(system.memory.address)
    if (last === undefined || !Equal.equals(last, local)) last = local
    return last
  }
}

const remove = (path: string): void => {
  try {
    unlinkSync(path)
  } catch {
    // Somebody has removed the file already.
  }
}
