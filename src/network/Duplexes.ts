/**
 * What Node's streams leave to do by hand.
 */
import { Socket } from "node:net"
import type { Duplex } from "node:stream"

/**
 * Ends a connection so that the other side can tell it was cut off: with RST
 * where there is TCP, else by destroying it.
 */
export const reset = (duplex: Duplex): void => {
  if (duplex.destroyed) return
  if (duplex instanceof Socket && !("encrypted" in duplex) && duplex.remotePort !== undefined) {
    duplex.resetAndDestroy()
  } else {
    duplex.destroy()
  }
}
