/**
 * How many connections there may be, and the line that each of them leaves.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Descriptors from "../../src/limits/Descriptors.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { fields } from "../support/errors.ts"
import { replaceExport } from "../support/replaced.ts"
import { admit, layer as layerOf, open } from "../support/sessions.ts"

/** Room for sixteen descriptors: eight handshakes, eight sessions. */
replaceExport(Descriptors, "budget", Effect.succeed(16))

const layer = (maxSessions: number | "auto") => layerOf({ maxSessions })

const refused = (host: string) => Effect.map(Effect.flip(open(host)), ({ limit }) => limit)

describe("Sessions", () => {
  it.effect("leaves half of the handshakes to other machines, and most to other addresses than one", () =>
    Effect.gen(function* () {
      const same = yield* Effect.forEach([1, 2, 3, 4], () => open("127.0.0.1"))
      assert.strictEqual(yield* refused("127.0.0.1"), 4)
      yield* open("203.0.113.2")
      assert.strictEqual(yield* refused("203.0.113.2"), 1)
      yield* same[0]!.close
      yield* open("127.0.0.1")
      assert.strictEqual(yield* refused("127.0.0.1"), 3)
    }).pipe(Effect.provide(layer("auto")))
  )

  it.effect("has a limit for all handshakes together", () =>
    Effect.gen(function* () {
      const all = yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8], (n) => open(`203.0.113.${n}`))
      assert.strictEqual(yield* refused("203.0.113.9"), 8)
      yield* admit(all[0]!.session)
      yield* open("203.0.113.9")
      assert.strictEqual(yield* refused("203.0.113.10"), 8)
    }).pipe(Effect.provide(layer("auto")))
  )

  it.effect("counts a handshake no longer when it is a session", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 6; i++) {
        const { session } = yield* open("203.0.113.1")
        yield* admit(session)
      }
      yield* open("203.0.113.1")
    }).pipe(Effect.provide(layer("auto")))
  )

  it.effect("admits as many sessions as allowed, and one more when one ends", () =>
    Effect.gen(function* () {
      const [one, two, three] = yield* Effect.forEach([1, 2, 3], () => open("127.0.0.1"))
      yield* admit(one!.session)
      yield* admit(two!.session)
      const error = yield* Effect.flip(admit(three!.session))
      assert.deepInclude(fields(error), { _tag: "TooManySessions", limit: 2 })
      yield* one!.close
      yield* admit(three!.session)
    }).pipe(Effect.provide(layer(2)))
  )

  it.effect("never needs more descriptors than the process has, however many sessions are allowed", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 8; i++) yield* admit((yield* open(`203.0.113.${i}`)).session)
      assert.strictEqual(yield* refused("203.0.113.9"), 16)
    }).pipe(Effect.provide(layer(1000)))
  )

  it.effect("leaves no count, in whatever order connections end", () =>
    Effect.gen(function* () {
      for (let round = 0; round < 5; round++) {
        const all = yield* Effect.forEach([1, 2, 3, 4], () => open("127.0.0.1"))
        yield* admit(all[1]!.session)
        yield* admit(all[3]!.session)
        yield* Effect.forEach(round % 2 === 0 ? all : all.reverse(), ({ close }) => close)
        const { list } = yield* SessionRegistry
        assert.deepStrictEqual(yield* list, [])
      }
    }).pipe(Effect.provide(layer(2)))
  )

  it.effect("lists the sessions, the oldest first, each with its own number", () =>
    Effect.gen(function* () {
      const { list } = yield* SessionRegistry
      const one = yield* open("203.0.113.1")
      const two = yield* open("203.0.113.2")
      yield* one.close
      const three = yield* open("203.0.113.3")
      assert.deepStrictEqual(yield* list, [two.session, three.session])
      assert.deepStrictEqual(
        [one, two, three].map(({ session }) => session.id),
        [1, 2, 3]
      )
    }).pipe(Effect.provide(layer("auto")))
  )
})
