/**
 * The accepted connection while the protocol is spoken: whole messages in,
 * replies out, a clean goodbye. Afterwards its Duplex goes to the relay.
 */
import type { Duplex } from "node:stream"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { ClientGone, HandshakeTimeout, type NotHeard } from "../Errors.ts"
import { type Decoder, isIncomplete } from "../wire/Decoder.ts"
import * as Deadline from "./Deadline.ts"
import { probe, reset } from "./Duplexes.ts"
import { type Event, unless } from "./Unless.ts"

export interface Client {
  /** The next message, as soon as its last byte is here. What follows it is kept. */
  readonly read: <A, E>(decoder: Decoder<A, E>) => Effect.Effect<A, E | NotHeard>
  /** Sends a message, if there is one and the connection was not handed over, in one write. */
  readonly reply: (bytes: Uint8Array | undefined) => Effect.Effect<void>
  /**
   * Hears the client out, with one deadline that no byte puts off: for all that is
   * read, and for what is done `inTime`.
   */
  readonly hear: <A, E, R>(effect: Effect.Effect<A, E, R>, time: Duration.Duration) => Effect.Effect<A, E, R>
  /** Does something else than to read, and gives it up when the client has had its time. */
  readonly inTime: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | HandshakeTimeout, R>
  /**
   * Does something for the client, and gives up when the client goes away. One that
   * has sent payload ahead of the reply and then its end is only done sending, and
   * is not gone.
   */
  readonly whileHere: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ClientGone, R>
  /**
   * Puts in the connection's place what `wrap` makes of it, such as its decrypted
   * form. It gets the connection paused, with what was read but not asked for back
   * in it.
   */
  readonly upgrade: <E>(wrap: (duplex: Duplex) => Effect.Effect<Duplex, E>) => Effect.Effect<void, E>
  /** Hands over the connection, paused, and the bytes that were read but not asked for. */
  readonly detach: () => { readonly duplex: Duplex; readonly early: Uint8Array }
  /** Takes the connection back, with bytes that were read from it and not used. */
  readonly attach: (unused: Uint8Array) => void
  /**
   * Ends the connection: what was written is delivered, within the grace. If what
   * was done with it was interrupted, it is reset.
   */
  readonly close: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

/** How much a client may send ahead of the reply before it is no longer listened to. */
const earlyLimit = 64 * 1024

/** How long a client may take to read the last reply and hang up. */
const grace = Duration.seconds(2)

/** Takes over a connection, until it is closed. */
export const make = (connection: Duplex): Client => {
  let duplex = connection
  let pending: Buffer = empty
  let isOver = false
  let isLate = false
  let isDetached = false
  let wake: (() => void) | undefined

  const onData = (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    if (pending.length >= earlyLimit) duplex.pause()
    wake?.()
  }
  const onOver = () => {
    isOver = true
    wake?.()
  }
  const onEnd = () => {
    probe(duplex)
    onOver()
  }
  const listen = () => {
    isOver = duplex.readableEnded || duplex.destroyed
    duplex.on("end", onEnd).on("data", onData)
  }
  const take = (next: Duplex) => {
    duplex = next.on("error", onOver).on("close", onOver)
    listen()
  }
  take(connection)

  const waitFor = <A, E>(poll: () => Effect.Effect<A, E> | undefined) =>
    Effect.callback<A, E>((resume) => {
      wake = () => {
        const result = poll()
        if (result === undefined) return
        wake = undefined
        resume(result)
      }
      wake()
      return Effect.sync(() => {
        wake = undefined
      })
    })

  /** The event that this has become true. */
  const once =
    (isSo: () => boolean): Event =>
    (happen) => {
      wake = () => {
        if (isSo()) happen()
      }
      wake()
      return () => {
        wake = undefined
      }
    }

  const detach = () => {
    duplex.pause()
    duplex.off("data", onData).off("end", onEnd)
    const early = pending
    pending = empty
    isDetached = true
    return { duplex, early }
  }

  const attach = (unused: Uint8Array) => {
    isDetached = false
    listen()
    duplex.resume()
    onData(Buffer.from(unused))
  }

  return {
    read: <A, E>(decoder: Decoder<A, E>) =>
      waitFor<A, E | NotHeard>(() => {
        const decoded = decoder(pending)
        if (Result.isSuccess(decoded)) {
          pending = pending.subarray(decoded.success.size)
          return Effect.succeed(decoded.success.value)
        }
        if (!isIncomplete(decoded.failure)) return Effect.fail(decoded.failure)
        if (isOver) return gone
        return isLate ? timeout : undefined
      }),
    reply: (bytes) =>
      Effect.sync(() => {
        if (bytes && bytes.length > 0 && duplex.writable && !isDetached) duplex.write(bytes)
      }),
    upgrade: (wrap) =>
      Effect.suspend(() => {
        duplex.pause()
        duplex.off("data", onData).off("end", onEnd).off("close", onOver)
        if (pending.length > 0) duplex.unshift(pending)
        pending = empty
        return Effect.map(wrap(duplex), take)
      }),
    hear: (effect, time) =>
      Effect.withFiber((fiber) => {
        isLate = false
        const callOff = Deadline.after(fiber, time, () => {
          isLate = true
          wake?.()
        })
        return Effect.onExit(effect, () => Effect.sync(callOff))
      }),
    inTime: (effect) =>
      unless(
        effect,
        once(() => isLate),
        timeout
      ),
    whileHere: (effect) =>
      unless(
        effect,
        once(() => duplex.destroyed || (isOver && pending.length === 0)),
        gone
      ),
    detach,
    attach,
    close: (exit) => {
      detach()
      if (Exit.isFailure(exit) && Exit.hasInterrupts(exit)) return Effect.sync(() => reset(duplex))
      return close(duplex)
    }
  }
}

/**
 * FIN after the last reply, and reading on until the client's own: closing with
 * unread bytes in the kernel would send RST, which makes the client's system
 * throw the reply away.
 */
const close = (duplex: Duplex): Effect.Effect<void> =>
  Effect.withFiber((fiber) =>
    Effect.callback<void>((resume) => {
      if (duplex.destroyed) return resume(Effect.void)
      const cancel = Deadline.after(fiber, grace, () => duplex.destroy())
      duplex.once("close", () => {
        cancel()
        resume(Effect.void)
      })
      if (!duplex.writableEnded) duplex.end()
      duplex.resume()
    })
  )

const gone = Effect.fail(new ClientGone())
const timeout = Effect.fail(new HandshakeTimeout())

const empty: Buffer = Buffer.alloc(0)
