/**
 * Reading a message from bytes that arrive in pieces.
 *
 * A decoder looks at everything received so far. It never throws, keeps no
 * state, and tells bytes that are missing from bytes that are wrong, so any
 * split of the same bytes decodes alike.
 */
import * as Result from "effect/Result"

/** A whole message and the number of bytes it took. */
interface Decoded<out A> {
  readonly value: A
  readonly size: number
}

/** The message is right as far as it goes: ask again with more bytes. */
interface Incomplete {
  readonly _tag: "Incomplete"
}

/** Decodes a message of type `A` from the start of `bytes`, or says why it is none. */
export type Decoder<out A, out E = never> = (bytes: Uint8Array) => Result.Result<Decoded<A>, Incomplete | E>

export const complete = <A>(value: A, size: number): Result.Result<Decoded<A>> =>
  Result.succeed({ value, size })

const more: Incomplete = { _tag: "Incomplete" }

export const incomplete: Result.Result<never, Incomplete> = Result.fail(more)

export const isIncomplete = (failure: unknown): failure is Incomplete => failure === more
