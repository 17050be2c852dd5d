/**
 * Decoders of messages whose bytes arrive in pieces.
 *
 * A decoder gets all bytes received so far. A decoder never throws, keeps no state, and distinguishes an incomplete
 * message from a wrong message. So the same bytes decode alike, however they are split.
 */
import * as Result from "effect/Result"

/** A whole message, and its size in bytes. */
interface Decoded<out A> {
  readonly value: A
  readonly size: number
}

/** No byte is wrong yet, and more bytes are needed. */
interface Incomplete {
  readonly _tag: "Incomplete"
}

/** Decodes a message of type `A` at the start of `bytes`; fails with `Incomplete`, or with the error in the bytes. */
export type Decoder<out A, out E = never> = (bytes: Uint8Array) => Result.Result<Decoded<A>, Incomplete | E>

export const complete = <A>(value: A, size: number): Result.Result<Decoded<A>> =>
  Result.succeed({ value, size })

const more: Incomplete = { _tag: "Incomplete" }

export const incomplete: Result.Result<never, Incomplete> = Result.fail(more)

export const isIncomplete = (failure: unknown): failure is Incomplete => failure === more
