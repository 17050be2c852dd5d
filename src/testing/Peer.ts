/**
 * One end of an in-memory connection, played by a test: a client before the
 * server, or a target behind it.
 */
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"

/**
 * One end of a connection, played by a test. Reading waits; sending does not.
 *
 * **When to use**
 *
 * Use it as the type of clients and targets in tests.
 *
 * **Example** (A target that sends back what it gets)
 *
 * ```ts
 * import { Effect } from "effect"
 * import type { Peer } from "effect-socks/testing"
 *
 * const echo = ({ rest, send }: Peer) => Effect.flatMap(rest, send)
 * ```
 */
export interface Peer {
  readonly duplex: Duplex
  /** Sends bytes, in one piece. */
  readonly send: (bytes: Uint8Array | ReadonlyArray<number> | string) => Effect.Effect<void>
  /** Waits for this many bytes. Returns fewer if the other side ends before. */
  readonly receive: (count: number) => Effect.Effect<Uint8Array>
  /** Everything until the other side ends or resets. */
  readonly rest: Effect.Effect<Uint8Array>
  /** How the other side ended: in order, or with a reset. */
  readonly ending: Effect.Effect<"end" | "reset">
  /** Finishes sending, and still receives. */
  readonly end: Effect.Effect<void>
  /** Resets the connection. */
  readonly reset: Effect.Effect<void>
}

/**
 * One end of a connection, played by a test: a client before the server, or a target behind it.
 *
 * **When to use**
 *
 * Use it to send and to receive on a stream of your own.
 *
 * **Example** (A client of a port)
 *
 * ```ts
 * import { connect } from "node:net"
 * import { peer } from "effect-socks/testing"
 *
 * const client = peer(connect(1080, "127.0.0.1"))
 * ```
 */
export const make = (duplex: Duplex): Peer => {
  let received: Buffer = Buffer.alloc(0)
  let over: "end" | "reset" | undefined
  const waiting = new Set<() => void>()
  const changed = () => {
    for (const check of waiting) check()
  }
  duplex.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    changed()
  })
  duplex.on("end", () => {
    over ??= "end"
    changed()
  })
  duplex.on("close", () => {
    over ??= "reset"
    changed()
  })
  duplex.on("error", () => {})

  const when = <A>(ready: () => boolean, take: () => A): Effect.Effect<A> =>
    Effect.callback((resume) => {
      const check = () => {
        if (!ready()) return
        waiting.delete(check)
        resume(Effect.sync(take))
      }
      waiting.add(check)
      check()
      return Effect.sync(() => waiting.delete(check))
    })

  const take = (count: number): Uint8Array => {
    const bytes = received.subarray(0, count)
    received = received.subarray(count)
    return new Uint8Array(bytes)
  }

  return {
    duplex,
    send: (bytes) => Effect.sync(() => duplex.write(typeof bytes === "string" ? bytes : Buffer.from(bytes))),
    receive: (count) =>
      when(
        () => received.length >= count || over !== undefined,
        () => take(count)
      ),
    rest: when(
      () => over !== undefined,
      () => take(received.length)
    ),
    ending: when(
      () => over !== undefined,
      () => over!
    ),
    end: Effect.sync(() => duplex.end()),
    reset: Effect.sync(() => duplex.destroy())
  }
}
