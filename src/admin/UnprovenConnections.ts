/**
 * Connections whose client has not shown the token yet. They are bounded, and the oldest gives way to a new one, so that
 * no number of strangers keeps the operator out.
 */

/** A connection, or the TLS on it. */
interface Connection {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly once: (event: "close", then: () => void) => unknown
  readonly destroy: () => unknown
}

/** Half of all connections of the listener. */
export const most = 128

export interface UnprovenConnections {
  readonly add: (socket: Connection) => void
  /** The client has shown the token: its connection stays. With TLS this is another socket of the same connection. */
  readonly prove: (socket: Connection) => void
}

export const make = (): UnprovenConnections => {
  /** By the address of the client, the oldest first. */
  const sockets = new Map<string, Connection>()
  return {
    add: (socket) => {
      const key = keyOf(socket)
      // Only the server's user may connect to a socket in the file system.
      if (key === undefined) return
      sockets.set(key, socket)
      socket.once("close", () => {
        if (sockets.get(key) === socket) sockets.delete(key)
      })
      if (sockets.size <= most) return
      for (const [oldest, given] of sockets) {
        sockets.delete(oldest)
        given.destroy()
        break
      }
    },
    prove: (socket) => {
      const key = keyOf(socket)
      if (key !== undefined) sockets.delete(key)
    }
  }
}

const keyOf = ({ remoteAddress, remotePort }: Connection): string | undefined =>
  remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort}`
