/**
 * Which method is agreed on: the server's preference among what is offered, and
 * no way around a password.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { Authenticator } from "../../../src/auth/Authenticator.ts"
import * as Negotiate from "../../../src/protocols/socks5/Negotiate.ts"
import type { Method } from "../../../src/wire/Socks5.ts"
import { fields } from "../../support/errors.ts"
import { greeting } from "../../support/messages.ts"
import { holds } from "../../support/property.ts"
import { accepted, untrusted } from "../../support/streams.ts"

const accepting = (...methods: ReadonlyArray<Method>) =>
  Layer.succeed(Authenticator, { methods, verify: () => Effect.die("nobody asked") })

/** What a client with this offer gets back; the error, if it is turned away. */
const offering = Effect.fnUntraced(function* (...methods: ReadonlyArray<number>) {
  const { peer, client } = yield* accepted
  yield* peer.send(greeting(...methods))
  const agreed = yield* Effect.result(Negotiate.run(untrusted(client)))
  if (agreed._tag === "Failure") {
    yield* peer.reset
    return agreed.failure
  }
  const selection = yield* peer.receive(2)
  assert.deepStrictEqual([...selection], [5, agreed.success])
  yield* peer.reset
  return agreed.success
})

const offered = (...methods: ReadonlyArray<number>) => ({ _tag: "NoAcceptableMethod", offered: methods })

const got = Effect.fnUntraced(function* (...methods: ReadonlyArray<number>) {
  const result = yield* offering(...methods)
  return typeof result === "number" ? result : fields(result)
})

describe("Negotiate", () => {
  it.effect("selects a method that is offered and accepted", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* got(0x00), 0x00)
      assert.strictEqual(yield* got(0x02, 0x00), 0x00)
    }).pipe(Effect.provide(accepting(0x00)))
  )

  it.effect("uses the server's order of preference, not the client's", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* got(0x00, 0x02), 0x02)
      assert.strictEqual(yield* got(0x02, 0x00), 0x02)
      assert.strictEqual(yield* got(0x00), 0x00)
    }).pipe(Effect.provide(accepting(0x02, 0x00)))
  )

  it.effect("never skips the login", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* got(0x00, 0x02), 0x02)
      assert.strictEqual(yield* got(0x00, 0x01, 0x80, 0x02), 0x02)
      assert.deepStrictEqual(yield* got(0x00), offered(0x00))
      assert.deepStrictEqual(yield* got(0x00, 0x00, 0x01), offered(0x00, 0x00, 0x01))
    }).pipe(Effect.provide(accepting(0x02)))
  )

  it.effect("ignores duplicates and unknown methods", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* got(0x80, 0x02, 0x02, 0xfe, 0x02, 0x01), 0x02)
      assert.strictEqual(yield* got(...Array.from({ length: 255 }, (_, i) => i)), 0x02)
    }).pipe(Effect.provide(accepting(0x02)))
  )

  it.effect("never selects 0xff", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* got(), offered())
      assert.deepStrictEqual(yield* got(0xff), offered(0xff))
    }).pipe(Effect.provide(accepting(0x00, 0x02)))
  )

  it.effect("selects only methods that are offered and accepted", () =>
    Effect.promise(() =>
      holds(
        fc.asyncProperty(
          fc.constantFrom<ReadonlyArray<Method>>([], [0x00], [0x02], [0x02, 0x00], [0x00, 0x02]),
          fc.array(fc.oneof(fc.nat(3), fc.nat(255)), { maxLength: 255 }),
          (methods, offer) =>
            Effect.gen(function* () {
              const expected = methods.find((method) => offer.includes(method))
              assert.deepStrictEqual(yield* got(...offer), expected ?? offered(...offer))
            }).pipe(Effect.scoped, Effect.provide(accepting(...methods)), Effect.runPromise)
        )
      )
    )
  )

  it.effect("refuses another protocol by its first byte", () =>
    Effect.gen(function* () {
      for (const first of [0x04, 0x16, 0x47]) {
        const { peer, client } = yield* accepted
        yield* peer.send([first])
        const error = yield* Effect.flip(Negotiate.run(untrusted(client)))
        assert.deepStrictEqual(fields(error), { _tag: "UnknownProtocol", firstByte: first })
        yield* peer.reset
      }
    }).pipe(Effect.provide(accepting(0x00)))
  )
})
