/**
 * The messages between this server and an upstream, over a connection that leads to it.
 *
 * A message that can wait for its answer is put off by `defer`: an upstream that takes pipelined messages then gets the
 * next message before it has answered, and a hop costs no round trip of its own. Answers are read in their order.
 */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import { type DialError, UpstreamFailed } from "../Errors.ts"
import * as Client from "../network/Client.ts"
import type { Transport } from "../network/Transport.ts"
import type { Decoder } from "../wire/Decoder.ts"

/** Reads a message of the upstream. Fails with what is wrong with the message. */
export type Read = <A>(decoder: Decoder<A, string>) => Effect.Effect<A, UpstreamFailed>

export class Conversation {
  private readonly client: Client.Client
  private readonly answers: Array<Effect.Effect<void, DialError>> = []
  /** The upstream that answers, as messages show it. */
  upstream = ""
  /** The error to report for an error of which an answer tells. */
  reported: (error: DialError) => DialError = identity

  constructor(transport: Transport) {
    this.client = Client.make(transport)
  }

  /** Sends a message in one write. */
  send(message: Uint8Array): Effect.Effect<void> {
    return this.client.reply(message)
  }

  /** Puts off reading an answer, until the next answer has to be read. */
  defer(answer: (read: Read) => Effect.Effect<void, DialError>): Effect.Effect<void> {
    return Effect.sync(() => {
      this.answers.push(Effect.mapError(answer(this.readFrom(this.upstream)), this.reported))
    })
  }

  /** Reads an answer now, behind those that were put off. */
  ask<A>(answer: (read: Read) => Effect.Effect<A, DialError>): Effect.Effect<A, DialError> {
    return Effect.andThen(
      this.settle,
      Effect.suspend(() => Effect.mapError(answer(this.readFrom(this.upstream)), this.reported))
    )
  }

  /** Reads the answers that were put off. */
  get settle(): Effect.Effect<void, DialError> {
    return Effect.suspend(() => {
      const next = this.answers.shift()
      return next === undefined ? Effect.void : Effect.andThen(next, this.settle)
    })
  }

  /** Replaces the connection, such as by the encrypted one on it. */
  upgrade<E>(
    wrap: (plain: Transport, unread: Uint8Array) => Effect.Effect<Transport, E>
  ): Effect.Effect<void, E | DialError> {
    return Effect.andThen(this.settle, this.client.upgrade(wrap))
  }

  /** The connection, paused, and the bytes behind the last message, which are the target's. */
  release(): { readonly transport: Transport; readonly early: Uint8Array } {
    return this.client.detach()
  }

  private readFrom(upstream: string): Read {
    return (decoder) =>
      Effect.mapError(this.client.read(decoder), (error) => {
        const reason = typeof error === "string" ? error : "it closed its connection in its handshake"
        return new UpstreamFailed({ upstream, reason })
      })
  }
}
