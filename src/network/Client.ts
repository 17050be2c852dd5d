/**
 * The accepted connection while the protocol is spoken: whole messages in,
 * replies out, a clean goodbye. Afterwards it goes to the relay.
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
  /** The next message, as soon as its last byte is here. What follows it is kept. */
  readonly read: <A, E>(decoder: Decoder<A, E>) => Effect.Effect<A, E | NotHeard>
  /** Sends a message, if there is one and the connection was not handed over, in one write. */
  readonly reply: (bytes: Uint8Array | undefined) => Effect.Effect<void>
  /**
   * Hears the client out, with one deadline that no byte puts off: for all that is
   * read, and for what is done `inTime`.
   */
  readonly withDeadline: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    time: Duration.Duration
  ) => Effect.Effect<A, E, R>
  /** Does something else than to read, and gives it up when the client has had its time. */
  readonly beforeDeadline: <A, E, R>(
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | HandshakeTimeout, R>
  /**
   * Does something for the client, and gives up when the client goes away. One that
   * has sent payload ahead of the reply and then its end is only done sending, and
   * is not gone.
   */
  readonly whileConnected: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ClientGone, R>
  /**
   * Puts in the connection's place what `wrap` makes of it, such as its decrypted
   * form, and of what was read but not asked for.
   */
  readonly upgrade: <E>(
    wrap: (plain: Transport, unread: Uint8Array) => Effect.Effect<Transport, E>
  ) => Effect.Effect<void, E>
  /** Hands over the connection, paused, and the bytes that were read but not asked for. */
  readonly detach: () => { readonly transport: Transport; readonly early: Uint8Array }
  /** Takes the connection back, with bytes that were read from it and not used. */
  readonly attach: (unused: Uint8Array) => void
  /** How the client ends its connection; what it sends until then goes nowhere. */
  readonly hungUp: Effect.Effect<"finished" | "client reset">
  /** Is to be called when a connection has closed that was handed over. */
  readonly closed: () => void
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

/** Takes over a connection until it is closed. */
export const make = (connection: Transport): Client => new Accepted(connection)

/** One object and no closures: it is there for as long as its connection, and has mostly nothing to do. */
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
    return unless(
      effect,
      this.once(() => this.isLate),
      timeout
    )
  }

  whileConnected<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | ClientGone, R> {
    return unless(
      effect,
      this.once(() => this.transport.isClosed || (this.isOver && this.pending.length === 0)),
      gone
    )
  }

  upgrade<E>(
    wrap: (plain: Transport, unread: Uint8Array) => Effect.Effect<Transport, E>
  ): Effect.Effect<void, E> {
    return Effect.suspend(() => {
      const { transport, early } = this.detach()
      return Effect.map(wrap(transport, early), (wrapped) => this.take(wrapped))
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
      // The client may have vanished without a word.
      transport.keepAlive()
      transport.listen({
        ...nobody,
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

  /** The message, or why there will be none; nothing while that cannot be told. */
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

  /** The event that this has become true. */
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
 * FIN after the last reply, and reading on until the client's own: closing with
 * unread bytes in the kernel would send RST, which makes the client's system
 * throw the reply away.
 */
const close = (transport: Transport): Effect.Effect<void> =>
  Effect.withFiber((fiber) =>
    Effect.callback<void>((resume) => {
      const cancel = Deadline.after(fiber, grace, () => transport.close())
      transport.whenClosed(() => {
        cancel()
        resume(Effect.void)
      })
      transport.listen(nobody)
      transport.end()
      transport.resume()
    })
  )

const ignored = () => {}

/** To whom it goes that nobody wants. */
const nobody: Receiver = { received: ignored, lent: ignored, ended: ignored, closed: ignored }

const gone = Effect.fail(new ClientGone())
const timeout = Effect.fail(new HandshakeTimeout())

const empty: Buffer = Buffer.alloc(0)
