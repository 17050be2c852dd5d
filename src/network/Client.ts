/**
 * The connection of a client before its relay: reads whole messages, sends replies, and closes without losing the last
 * reply. The relay then takes the connection over.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { type Event, unless } from "../base/Abortable.ts"
import * as Deadline from "../base/Deadline.ts"
import { ClientGone, HandshakeTimeout, type NotHeard } from "../Errors.ts"
import { type Decoder, isIncomplete } from "../wire/Decoder.ts"
import type { Receiver, Transport } from "./Transport.ts"

/** An accepted connection while its protocol is spoken. */
export interface Client {
  /** Reads the next message. Later bytes are kept for the next read. */
  readonly read: <A, E>(decoder: Decoder<A, E>) => Effect.Effect<A, E | NotHeard>
  /** Sends a message in one write. Does nothing without bytes, or after `detach`. */
  readonly reply: (bytes: Uint8Array | undefined) => Effect.Effect<void>
  /**
   * Runs the effect with a deadline for `read` and `beforeDeadline` in it. No byte of the client extends the deadline.
   */
  readonly withDeadline: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    time: Duration.Duration
  ) => Effect.Effect<A, E, R>
  /** Runs an effect that does not read, and interrupts the effect at the deadline. */
  readonly beforeDeadline: <A, E, R>(
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | HandshakeTimeout, R>
  /** The deadline, for a wait that can end by itself. `beforeDeadline` takes a fiber for each wait. */
  readonly late: Event
  /**
   * Runs the effect, and interrupts the effect when the client is gone. A client that has sent payload and then FIN has
   * only finished sending, and is not gone.
   */
  readonly whileConnected: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ClientGone, R>
  /**
   * Replaces the connection with the result of `wrap`, such as the decrypted connection. `wrap` gets the bytes that no
   * message has used. Without a result the connection stays detached.
   */
  readonly upgrade: <E>(
    wrap: (plain: Transport, unread: Uint8Array) => Effect.Effect<Transport | undefined, E>
  ) => Effect.Effect<void, E>
  /** Hands over the connection, paused, and the bytes that no message has used. */
  readonly detach: () => { readonly transport: Transport; readonly early: Uint8Array }
  /** Takes the connection back, with bytes that were read and not used. */
  readonly attach: (unused: Uint8Array) => void
  /** Waits until the client ends its connection. Bytes that the client sends until then are discarded. */
  readonly hungUp: Effect.Effect<"finished" | "client reset">
  /** To be called when a detached connection has closed. */
  readonly closed: () => void
  /**
   * Closes the connection after the written bytes are delivered, or after the grace period. After an interruption the
   * connection is reset.
   */
  readonly close: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

/** Bytes that a client may send ahead of the reply. Then the connection is paused. */
const earlyLimit = 64 * 1024

/** The grace period: the time for a client to read the last reply and close. */
export const grace = Duration.seconds(2)

/** Takes over an accepted connection. */
export const make = (connection: Transport): Client => new Accepted(connection)

/** One object without closures, to save memory: it lives as long as its connection, and is idle most of the time. */
class Accepted implements Client, Receiver {
  private transport!: Transport
  private pending: Buffer = empty
  private isOver = false
  private isLate = false
  private isDetached = false
  private wake: (() => void) | undefined = undefined

  constructor(connection: Transport) {
    this.take(connection)
  }

  read<A, E>(decoder: Decoder<A, E>): Effect.Effect<A, E | NotHeard> {
    return Effect.suspend(() => this.poll(decoder) ?? this.wait(decoder))
  }

  reply(bytes: Uint8Array | undefined): Effect.Effect<void> {
    return Effect.sync(() => {
      const { transport, isDetached } = this
      if (bytes && bytes.length > 0 && transport.isWritable && !isDetached) transport.write(bytes)
    })
  }

  withDeadline<A, E, R>(effect: Effect.Effect<A, E, R>, time: Duration.Duration): Effect.Effect<A, E, R> {
    return Effect.withFiber((fiber) => {
      this.isLate = false
      const callOff = Deadline.after(fiber, time, () => {
        this.isLate = true
        this.wake?.()
      })
      return Effect.onExit(effect, () => Effect.sync(callOff))
    })
  }

  beforeDeadline<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | HandshakeTimeout, R> {
    return unless(effect, this.late, timeout)
  }

  get late(): Event {
    return this.once(() => this.isLate)
  }

  whileConnected<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | ClientGone, R> {
    return unless(
      effect,
      this.once(() => this.transport.isClosed || (this.isOver && this.pending.length === 0)),
      gone
    )
  }

  upgrade<E>(
    wrap: (plain: Transport, unread: Uint8Array) => Effect.Effect<Transport | undefined, E>
  ): Effect.Effect<void, E> {
    return Effect.suspend(() => {
      const { transport, early } = this.detach()
      return Effect.map(wrap(transport, early), (wrapped) => wrapped && this.take(wrapped))
    })
  }

  detach(): { readonly transport: Transport; readonly early: Uint8Array } {
    const { transport, pending: early } = this
    transport.pause()
    this.pending = empty
    this.isDetached = true
    return { transport, early }
  }

  attach(unused: Uint8Array): void {
    this.take(this.transport)
    this.received(Buffer.from(unused))
  }

  get hungUp(): Effect.Effect<"finished" | "client reset"> {
    return Effect.callback((resume) => {
      const { transport } = this.detach()
      const over = (ending: "finished" | "client reset") => resume(Effect.succeed(ending))
      if (transport.hasEnded) return over("finished")
      if (transport.isClosed) return over("client reset")
      // Finds out about a client that vanished without FIN or RST.
      transport.keepAlive()
      transport.listen({
        ...discarding,
        ended: () => over("finished"),
        closed: () => over("client reset")
      })
      transport.resume()
    })
  }

  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    const { transport } = this.detach()
    if (transport.isClosed) return Effect.void
    if (Exit.isFailure(exit) && Exit.hasInterrupts(exit)) return Effect.sync(() => transport.reset())
    return close(transport)
  }

  received(chunk: Buffer): void {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk])
    if (this.pending.length >= earlyLimit) this.transport.pause()
    this.wake?.()
  }

  ended(): void {
    this.isOver = true
    this.wake?.()
  }

  closed(): void {
    this.ended()
  }

  private take(transport: Transport): void {
    this.transport = transport
    this.isDetached = false
    this.isOver = transport.hasEnded || transport.isClosed
    transport.listen(this)
    transport.resume()
  }

  /** The message, or the error; undefined while more bytes are needed. */
  private poll<A, E>(decoder: Decoder<A, E>): Effect.Effect<A, E | NotHeard> | undefined {
    const decoded = decoder(this.pending)
    if (Result.isSuccess(decoded)) {
      this.pending = this.pending.subarray(decoded.success.size)
      return Effect.succeed(decoded.success.value)
    }
    if (!isIncomplete(decoded.failure)) return Effect.fail(decoded.failure)
    if (this.isOver) return gone
    return this.isLate ? timeout : undefined
  }

  private wait<A, E>(decoder: Decoder<A, E>): Effect.Effect<A, E | NotHeard> {
    return Effect.callback((resume) => {
      this.wake = () => {
        const result = this.poll(decoder)
        if (result === undefined) return
        this.wake = undefined
        resume(result)
      }
      return Effect.sync(() => {
        this.wake = undefined
      })
    })
  }

  /** The event that the condition is true. */
  private once(isSo: () => boolean): Event {
    return (happen) => {
      this.wake = () => {
        if (isSo()) happen()
      }
      this.wake()
      return () => {
        this.wake = undefined
      }
    }
  }
}

/**
 * Sends FIN after the last reply, and reads until the client's FIN. If the socket closed with unread bytes in the
 * kernel, the kernel would send RST, and the client's system would discard the reply.
 */
const close = (transport: Transport): Effect.Effect<void> =>
  Effect.withFiber((fiber) =>
    Effect.callback<void>((resume) => {
      const cancel = Deadline.after(fiber, grace, () => transport.close())
      transport.whenClosed(() => {
        cancel()
        resume(Effect.void)
      })
      transport.listen(discarding)
      transport.end()
      transport.resume()
    })
  )

const ignored = () => {}

/** Discards all bytes. */
const discarding: Receiver = { received: ignored, lent: ignored, ended: ignored, closed: ignored }

const gone = Effect.fail(new ClientGone())
const timeout = Effect.fail(new HandshakeTimeout())

const empty: Buffer = Buffer.alloc(0)
