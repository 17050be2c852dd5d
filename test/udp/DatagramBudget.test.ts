/**
 * What the datagrams of a user may take: of memory, however many associations
 * there are.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Resolver } from "../../src/network/Resolver.ts"
import { Policy } from "../../src/policy/Policy.ts"
import * as DatagramBudget from "../../src/udp/DatagramBudget.ts"
import * as Destinations from "../../src/udp/Destinations.ts"
import * as Datagram from "../../src/wire/Datagram.ts"
import { connecting } from "../support/connecting.ts"
import { datagram } from "../support/messages.ts"
import { access } from "../support/rules.ts"
import { settled } from "../support/streams.ts"

/** The destinations of an association of this owner, and what came of its datagrams. */
const association = Effect.fnUntraced(function* (rooms: DatagramBudget.DatagramBudget, owner: string) {
  const outcome = { sent: 0, dropped: 0 }
  const { send } = yield* Destinations.make(
    { ...access({}), command: "ASSOCIATE", target: undefined },
    { of: () => Effect.undefined },
    yield* rooms.enter(owner),
    () => outcome.sent++,
    () => outcome.dropped++
  )
  const put = (host: string | ReadonlyArray<number>, size: number) => {
    const bytes = Buffer.from(datagram(host, 53, new Uint8Array(size)))
    send(bytes, Datagram.headerSize(bytes))
  }
  const to = (host: string, size: number) =>
    Effect.andThen(
      Effect.sync(() => put(host, size)),
      settled
    )
  /** To as many addresses, a few at a time, as there is not much room for those that wait. */
  const each = Effect.fnUntraced(function* (first: number, end: number) {
    for (let i = first; i < end; i++) {
      put([9, 0, i >> 8, i & 0xff], 1)
      if (i % 16 === 15 || i === end - 1) yield* settled
    }
  })
  return { outcome, to, each }
})

/** Counts how often an address is judged, and finds no name. */
const judging = () => {
  const judged = { count: 0 }
  const policy = Layer.succeed(Policy, {
    judge: (_, address) =>
      Effect.sync(() => {
        if (address !== undefined) judged.count++
        return { verdict: "allow", rule: "one" }
      })
  })
  return {
    judged,
    layer: Layer.mergeAll(policy, Layer.succeed(Resolver, { resolve: () => Effect.never }), connecting)
  }
}

describe("DatagramBudget", () => {
  it.effect("lets an association remember at most a thousand destinations", () => {
    const { judged, layer } = judging()
    return Effect.gen(function* () {
      const { each } = yield* association(DatagramBudget.make(), "user alice")
      yield* each(0, 1025)
      yield* each(1000, 1001)
      assert.strictEqual(judged.count, 1025)
      yield* each(0, 1)
      assert.strictEqual(judged.count, 1026)
    }).pipe(Effect.provide(layer))
  })

  it.effect("lets a user's associations remember some thousands together, and each a few in any case", () => {
    const { judged, layer } = judging()
    return Effect.gen(function* () {
      const rooms = DatagramBudget.make()
      const greedy = yield* Scope.make()
      for (let n = 0; n < 9; n++) {
        const { each } = yield* Scope.provide(association(rooms, "user alice"), greedy)
        yield* each(0, 1000)
      }
      const { each } = yield* association(rooms, "user alice")
      const other = yield* association(rooms, "user bob")
      judged.count = 0
      for (let round = 0; round < 2; round++) yield* each(0, 16)
      assert.strictEqual(judged.count, 16)
      // By itself it would remember all of these.
      yield* each(0, 600)
      judged.count = 0
      yield* each(0, 300)
      assert.strictEqual(judged.count, 300)

      judged.count = 0
      for (let round = 0; round < 2; round++) yield* other.each(0, 100)
      assert.strictEqual(judged.count, 100)

      yield* Scope.close(greedy, Exit.void)
      judged.count = 0
      for (let round = 0; round < 2; round++) yield* each(1000, 1100)
      assert.strictEqual(judged.count, 100)
    }).pipe(Effect.provide(layer))
  })

  it.effect("bounds the waiting bytes of an association to a few large datagrams", () => {
    const { layer } = judging()
    return Effect.gen(function* () {
      const { outcome, to } = yield* association(DatagramBudget.make(), "user alice")
      for (let i = 0; i < 20; i++) yield* to("slow.example", 60_000)
      assert.strictEqual(outcome.dropped, 16)
    }).pipe(Effect.provide(layer))
  })

  it.effect("bounds the waiting bytes of a user's associations together, and gives them back", () => {
    const { layer } = judging()
    return Effect.gen(function* () {
      const rooms = DatagramBudget.make()
      const scope = yield* Scope.make()
      let dropped = 0
      for (let n = 0; n < 20; n++) {
        const { outcome, to } = yield* Scope.provide(association(rooms, "user alice"), scope)
        for (let i = 0; i < 4; i++) yield* to("slow.example", 60_000)
        dropped += outcome.dropped
      }
      assert.strictEqual(dropped, 80 - Math.floor((4 * 1024 * 1024) / 60_022))
      const again = Effect.gen(function* () {
        const { outcome, to } = yield* association(rooms, "user alice")
        yield* to("slow.example", 60_000)
        return outcome.dropped
      })
      assert.strictEqual(yield* again, 1)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* again, 0)
    }).pipe(Effect.provide(layer))
  })
})
