/**
 * UDP sockets on descriptors.
 */
import * as NetAddress from "effect/net/NetAddress"
import { receiveBuffer } from "../NodeUdpSockets.ts"
import type { UdpReceiver, UdpSocket, UdpSockets, WhenSent } from "../UdpSocket.ts"
import { DatagramBatch } from "./DatagramBatch.ts"
import { type DescriptorEndpoint, endpoint } from "./DatagramEndpoints.ts"
import type { Loop } from "./DescriptorTransport.ts"
import type { Watched } from "./Poller.ts"
import * as SocketAddress from "./SocketAddress.ts"
import { again, nameOf } from "./System.ts"

/**
 * Bytes of the kernel's send buffer. A datagram that finds it full is dropped. Node would keep some more, so the buffer
 * is larger than by default.
 */
const sendBuffer = 1024 * 1024

/** Sockets that share this event loop. */
export const make = (loop: Omit<Loop, "pipes">): UdpSockets => {
  const batch = new DatagramBatch(loop.system)
  return {
    endpoint,
    bind: (address, port, isFree = false) => {
      const { system, poller } = loop
      const isIpv4 = NetAddress.isIpv4Address(address)
      const fd = system.udpSocket(isIpv4)
      if (fd < 0) return nameOf(fd)
      if (isFree) system.freeBind(fd, isIpv4)
      const bound = bind(loop, fd, address, port)
      if (bound >= 0) {
        const socket = new DescriptorUdpSocket(loop, batch, { fd, isIpv4, port: bound })
        const result = poller.watchDatagrams(socket)
        if (result === 0) return socket
        system.close(fd)
        return nameOf(result)
      }
      system.close(fd)
      return nameOf(bound)
    }
  }
}

/** Returns the port, or a negated error code. */
const bind = (
  { system }: Pick<Loop, "system">,
  fd: number,
  address: NetAddress.IpAddress,
  port: number
): number => {
  const prepared = NetAddress.isIpv4Address(address) ? 0 : system.noIpv4(fd)
  const result = prepared < 0 ? prepared : system.bind(fd, address, port)
  if (result < 0) return result
  system.bufferSizes(fd, receiveBuffer, sendBuffer)
  const found = system.localAddress(fd)
  return found < 0 ? found : SocketAddress.read(system.memory.address).port
}

class DescriptorUdpSocket implements UdpSocket, Watched {
  fd: number
  generation = 0
  isQueued = false
  receiver: UdpReceiver | undefined
  readonly port: number
  private readonly isIpv4: boolean
  private readonly loop: Omit<Loop, "pipes">
  private readonly batch: DatagramBatch

  constructor(
    loop: Omit<Loop, "pipes">,
    batch: DatagramBatch,
    { fd, isIpv4, port }: { readonly fd: number; readonly isIpv4: boolean; readonly port: number }
  ) {
    this.loop = loop
    this.batch = batch
    this.fd = fd
    this.isIpv4 = isIpv4
    this.port = port
  }

  send(bytes: Buffer, from: number, to: DescriptorEndpoint, whenSent: WhenSent, head?: Uint8Array): void {
    this.batch.send(this.fd, bytes, from, to, whenSent, head)
  }

  close(): void {
    if (this.fd < 0) return
    this.batch.flush()
    this.loop.poller.forget(this)
    this.loop.system.close(this.fd)
    this.fd = -1
  }

  onEvents(): void {
    this.loop.poller.enqueue(this)
  }

  /** Takes a batch. The poller reports the socket again if there is more. */
  run(): void {
    if (this.fd < 0) return
    const result = this.batch.receive(this.fd, this.isIpv4, this.receive)
    if (result < 0 && result !== again) this.receiver?.failed()
  }

  crashed(defect: unknown): void {
    this.loop.report(defect)
    this.close()
  }

  stopped(): void {
    this.close()
  }

  private readonly receive = (bytes: Buffer, from: DescriptorEndpoint): boolean => {
    try {
      this.receiver?.received(bytes, from)
    } catch (defect) {
      // The other datagrams of the batch are not to blame.
      this.loop.report(defect)
    }
    return this.fd >= 0
  }
}
