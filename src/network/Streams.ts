/**
 * What Node's streams leave to do by hand.
 */
import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"

/**
 * Ends a connection so that the other side can tell it was cut off: with RST
 * where there is TCP below, else by destroying it. A Unix-domain socket has no
 * reset; its other side sees an end.
 */
export const reset = (duplex: Duplex): void => {
  if (duplex.destroyed) return
  const carrier = carriers.get(duplex)
  if (carrier) {
    // First, as destroying TLS would close what carries it in order.
    reset(carrier)
    duplex.destroy()
  } else if (isTcp(duplex) && duplex.remotePort !== undefined) {
    duplex.resetAndDestroy()
  } else {
    duplex.destroy()
  }
}

/** Remembers which connection carries the bytes of another, such as TCP those of TLS. */
export const setCarrier = (duplex: Duplex, carrier: Duplex): void => {
  carriers.set(duplex, carrier)
}

const carriers = new WeakMap<Duplex, Duplex>()

/** What those who serve a connection note on it, so that their listeners can be the same for all connections. */
export const makeAttachment = <A>(): {
  readonly set: (duplex: Duplex, value: A) => void
  /** Of a connection on which it was noted. */
  readonly of: (duplex: Duplex) => A
} => {
  const key = Symbol("note")
  type Noted = Duplex & { [key]: A }
  return {
    set: (duplex, value) => {
      ;(duplex as Noted)[key] = value
    },
    of: (duplex) => (duplex as Noted)[key]
  }
}

/**
 * Has the system find out about an end that vanished without a word, by asking
 * after it once a minute while the connection is quiet. Elsewhere than on TCP it
 * does nothing.
 */
export const keepAlive = (duplex: Duplex): void => {
  const carrier = carriers.get(duplex)
  if (carrier) keepAlive(carrier)
  else if (duplex instanceof Socket) duplex.setKeepAlive(true, 60_000)
}

/**
 * Brings to light whether an end was one. RST that arrives together with the
 * last bytes is an orderly end to Node 20; writing nothing to such a connection
 * breaks it, before the next turn of the event loop. Elsewhere it does nothing.
 */
export const probe = (duplex: Duplex): void => {
  if (isTcp(duplex) && duplex.writable) duplex.write(nothing)
}

/**
 * Whether the other side has sent all it had. One that then broke has too: after
 * FIN, RST leaves EPIPE to whoever writes next, and alone it leaves ECONNRESET.
 */
export const hasEnded = ({ readableEnded, errored }: Duplex): boolean =>
  readableEnded && (!errored || (errored as NodeJS.ErrnoException).code === "EPIPE")

const nothing = new Uint8Array(0)

// Sockets in the file system have no address, and break at a write of nothing
// whenever the other side has closed.
const isTcp = (duplex: Duplex): duplex is Socket =>
  duplex instanceof Socket && !("encrypted" in duplex) && duplex.localAddress !== undefined

/** How the other side ended its connection. What it sends until then goes nowhere. */
export const hungUp = (duplex: Duplex): Effect.Effect<"finished" | "client reset"> =>
  Effect.callback((resume) => {
    const over = () => resume(Effect.succeed(duplex.readableEnded ? "finished" : "client reset"))
    if (duplex.readableEnded || duplex.destroyed) return over()
    duplex.once("end", over).once("close", over).resume()
  })
