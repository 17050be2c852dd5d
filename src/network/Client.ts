/**
 * The accepted connection while the protocol is spoken: whole messages in,
 * replies out, a clean goodbye. Afterwards its Duplex goes to the relay.
 */
import type { Duplex } from "node:stream"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { type Event, unless } from "../base/Abortable.ts"
import * as Deadline from "../base/Deadline.ts"
import { ClientGone, HandshakeTimeout, type NotHeard } from "../Errors.ts"
import { type Decoder, isIncomplete } from "../wire/Decoder.ts"
import { makeAttachment, probe, reset } from "./Streams.ts"

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

/** Takes over a connection, whose errors someone listens to, until it is closed. */
export const make = (connection: Duplex): Client => new Accepted(connection)

/** One object and no closures: it is there for as long as its connection, and has mostly nothing to do. */
class Accepted implements Client {
  private duplex!: Duplex
  private pending: Buffer = empty
  private isOver = false
  private isLate = false
  private isDetached = false
  private wake: (() => void) | undefined = undefined

  constructor(connection: Duplex) {
    this.take(connection)
  }

  read<A, E>(decoder: Decoder<A, E>): Effect.Effect<A, E | NotHeard> {
    return Effect.suspend(() => this.poll(decoder) ?? this.wait(decoder))
  }

  reply(bytes: Uint8Array | undefined): Effect.Effect<void> {
    return Effect.sync(() => {
      const { duplex, isDetached } = this
      if (bytes && bytes.length > 0 && duplex.writable && !isDetached) duplex.write(bytes)
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
      this.once(() => this.duplex.destroyed || (this.isOver && this.pending.length === 0)),
      gone
    )
  }

  upgrade<E>(wrap: (duplex: Duplex) => Effect.Effect<Duplex, E>): Effect.Effect<void, E> {
    return Effect.suspend(() => {
      const { duplex, pending } = this
      duplex.pause()
      duplex.off("data", onData).off("end", onEnd).off("close", onClose)
      if (pending.length > 0) duplex.unshift(pending)
      this.pending = empty
      return Effect.map(wrap(duplex), (wrapped) => this.take(wrapped))
    })
  }

  detach(): { readonly duplex: Duplex; readonly early: Uint8Array } {
    const { duplex, pending: early } = this
    duplex.pause()
    duplex.off("data", onData).off("end", onEnd)
    this.pending = empty
    this.isDetached = true
    return { duplex, early }
  }

  attach(unused: Uint8Array): void {
    this.isDetached = false
    this.listen()
    this.duplex.resume()
    this.heard(Buffer.from(unused))
  }

  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    const { duplex } = this.detach()
    if (duplex.destroyed) return Effect.void
    if (Exit.isFailure(exit) && Exit.hasInterrupts(exit)) return Effect.sync(() => reset(duplex))
    return close(duplex)
  }

  heard(chunk: Buffer): void {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk])
    if (this.pending.length >= earlyLimit) this.duplex.pause()
    this.wake?.()
  }

  over(): void {
    this.isOver = true
    this.wake?.()
  }

  private take(duplex: Duplex): void {
    this.duplex = duplex
    clients.set(duplex, this)
    // Also what follows an error, of which others have heard.
    duplex.on("close", onClose)
    this.listen()
  }

  private listen(): void {
    this.isOver = this.duplex.readableEnded || this.duplex.destroyed
    this.duplex.on("end", onEnd).on("data", onData)
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

const clients = makeAttachment<Accepted>()

// Listeners, the same for all: Node calls them with the connection as `this`.

function onData(this: Duplex, chunk: Buffer): void {
  clients.of(this).heard(chunk)
}

function onClose(this: Duplex): void {
  clients.of(this).over()
}

function onEnd(this: Duplex): void {
  probe(this)
  clients.of(this).over()
}

/**
 * FIN after the last reply, and reading on until the client's own: closing with
 * unread bytes in the kernel would send RST, which makes the client's system
 * throw the reply away.
 */
const close = (duplex: Duplex): Effect.Effect<void> =>
  Effect.withFiber((fiber) =>
    Effect.callback<void>((resume) => {
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
