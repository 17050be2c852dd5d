/**
 * The connection in memory that all the others stand on behaves like TCP.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { pair, peer } from "../../src/testing/index.ts"

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

describe("pair", () => {
  it.effect("carries bytes both ways, and each end's FIN by itself", () =>
    Effect.gen(function* () {
      const [one, other] = pair().map(peer) as [ReturnType<typeof peer>, ReturnType<typeof peer>]
      yield* one.send("question")
      yield* one.end
      assert.strictEqual(text(yield* other.rest), "question")
      assert.strictEqual(yield* other.ending, "end")
      yield* other.send("answer")
      yield* other.end
      assert.strictEqual(text(yield* one.rest), "answer")
      assert.strictEqual(yield* one.ending, "end")
    })
  )

  it.effect("resets the other end when one end is reset", () =>
    Effect.gen(function* () {
      const [one, other] = pair()
      const codes: Array<unknown> = []
      other.on("error", (error: NodeJS.ErrnoException) => codes.push(error.code))
      const watched = peer(other)
      yield* peer(one).reset
      assert.strictEqual(yield* watched.ending, "reset")
      assert.deepStrictEqual(codes, ["ECONNRESET"])
    })
  )

  it.effect("resets when an end is closed after its FIN", () =>
    Effect.gen(function* () {
      const [one, other] = pair()
      const [client, server] = [peer(one), peer(other)]
      yield* client.end
      assert.strictEqual(yield* server.ending, "end")
      yield* client.reset
      yield* client.ending
      yield* Effect.callback<void>((resume) => {
        if (other.destroyed) resume(Effect.void)
        else other.once("close", () => resume(Effect.void))
      })
      assert.isTrue(other.destroyed)
    })
  )
})
