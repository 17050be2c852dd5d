/**
 * UDP sockets.
 */
import { createSocket, type Socket } from "node:dgram"
import * as NetAddress from "effect/net/NetAddress"

/**
 * Bytes of the kernel's receive buffer, for the time in which other sessions run. The kernel has a limit of its own.
 */
const receiveBuffer = 1024 * 1024

/**
 * A bound socket of one address family; or the system's error code. The caller must handle the socket's `error` events,
 * which report ICMP errors of earlier datagrams.
 */
export const bind = (address: NetAddress.IpAddress, port: number): Socket | string => {
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
  return socket.off("error", failed)
}
