/**
 * UDP sockets.
 */
import { createSocket, type Socket } from "node:dgram"
import * as NetAddress from "effect/net/NetAddress"

/** Bytes that the kernel may keep while other sessions have their turn; it cuts this to its own limit. */
const receiveBuffer = 1024 * 1024

/**
 * A socket for one family, bound; or the system's code for why there is none.
 * Its errors are news of datagrams sent before (ICMP), and for the caller to take.
 */
export const bind = (address: NetAddress.IpAddress, port: number): Socket | string => {
  const isIpv4 = NetAddress.isIpv4Address(address)
  const socket = createSocket({
    type: isIpv4 ? "udp4" : "udp6",
    ipv6Only: !isIpv4,
    // There are no names here to look up. Without this, every datagram would wait
    // for `dns.lookup` to find the address in an address.
    lookup: (host, _family, found) => found(null, host, isIpv4 ? 4 : 6)
  })
  let failure: string | undefined
  const failed = (error: NodeJS.ErrnoException) => {
    failure = error.code ?? "unknown"
  }
  // With the address at hand at once, it is bound or not when this returns.
  socket.once("error", failed).bind({ address: NetAddress.formatIp(address), port, exclusive: true })
  if (failure !== undefined) {
    socket.close()
    return failure
  }
  try {
    socket.setRecvBufferSize(receiveBuffer)
  } catch {
    // Some systems refuse where others cut. Then theirs has to do.
  }
  return socket.off("error", failed)
}
