/**
 * Messages in pieces.
 */
import { assert } from "@effect/vitest"
import * as Result from "effect/Result"
import { type Decoder, isIncomplete } from "../../src/wire/Decoder.ts"

/** What `message` decodes to, once it is sure that nothing before or behind its end changes that. */
export const decodeWhole = <A, E>(
  decoder: Decoder<A, E>,
  message: ReadonlyArray<number>,
  behind: Uint8Array
): A => {
  for (let length = 0; length < message.length; length++) {
    const result = decoder(Uint8Array.from(message.slice(0, length)))
    assert.isTrue(Result.isFailure(result) && isIncomplete(result.failure), `after ${length} bytes`)
  }
  const alone = Result.getOrThrow(decoder(Uint8Array.from(message)))
  assert.strictEqual(alone.size, message.length)
  assert.deepStrictEqual(Result.getOrThrow(decoder(Uint8Array.of(...message, ...behind))), alone)
  return alone.value
}
