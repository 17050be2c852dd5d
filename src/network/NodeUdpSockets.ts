/**
 * UDP sockets of Node (`dgram`).
 */
import { createSocket, type Socket } from "node:dgram"
import { SocketAddress } from "node:net"
import * as NetAddress from "effect/net/NetAddress"
import { fromNode } from "./NodeAddress.ts"
import type { UdpEndpoint, UdpReceiver, UdpSocket, UdpSockets, WhenSent } from "./UdpSocket.ts"

/**
 * Bytes of the kernel's receive buffer, for the time in which other sessions run. The kernel has a limit of its own.
 */
export const receiveBuffer = 1024 * 1024

export const make = (): UdpSockets => ({ bind, endpoint })

const bind = (address: NetAddress.IpAddress, port: number): UdpSocket | string => {
  const isIpv4 = NetAddress.isIpv4Address(address)
  const socket = createSocket({
    type: isIpv4 ? "udp4" : "udp6",
    ipv6Only: !isIpv4,
    // All hosts are addresses. Without this function every datagram would wait for `dns.lookup` of an address.
    lookup: (host, _family, found) => found(null, host, isIpv4 ? 4 : 6)
  })
  let failure: string | undefined
  const failed = (error: NodeJS.ErrnoException) => {
    failure = error.code ?? "unknown"
  }
  // As `lookup` is synchronous, `bind` has succeeded or failed when it returns.
  socket.once("error", failed).bind({ address: NetAddress.formatIp(address), port, exclusive: true })
  if (failure !== undefined) {
    socket.close()
    return failure
  }
  try {
    socket.setRecvBufferSize(receiveBuffer)
  } catch {
    // Some systems refuse a size above their limit. Then the default size stays.
  }
  return new NodeUdpSocket(socket.off("error", failed))
}

/** The text is the system's, so that the key equals that of a sender. */
const endpoint = (at: NetAddress.InetAddress): NodeEndpoint => {
  const family = NetAddress.isIpv4Address(at.address) ? "ipv4" : "ipv6"
  const { address } = new SocketAddress({ address: NetAddress.formatIp(at.address), port: at.port, family })
  return new NodeEndpoint(address, at.port)
}

class NodeEndpoint implements UdpEndpoint {
  readonly address: string
  readonly port: number
  readonly key: string

  constructor(address: string, port: number) {
    this.address = address
    this.port = port
    this.key = `${address} ${port}`
  }

  get at(): NetAddress.InetAddress {
    return fromNode(this.address, this.port)
  }
}

class NodeUdpSocket implements UdpSocket {
  readonly port: number
  receiver: UdpReceiver | undefined
  private readonly socket: Socket
  /** The sender of the last datagram. */
  private last: NodeEndpoint | undefined

  constructor(socket: Socket) {
    this.socket = socket
    this.port = socket.address().port
    socket.on("error", () => this.receiver?.failed())
    socket.on("message", (bytes, { address, port }) => {
      if (port !== this.last?.port || address !== this.last.address)
        this.last = new NodeEndpoint(address, port)
      this.receiver?.received(bytes, this.last)
    })
  }

  send(
    bytes: Buffer,
    from: number,
    { address, port }: NodeEndpoint,
    whenSent: WhenSent,
    head?: Uint8Array
  ): void {
    if (head === undefined) this.socket.send(bytes, from, bytes.length - from, port, address, whenSent)
    else this.socket.send([head, from === 0 ? bytes : bytes.subarray(from)], port, address, whenSent)
  }

  close(): void {
    this.socket.close()
  }
}
