/**
 * Who gets in at a door that takes long, when there are too many.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as LoginQueue from "../../src/auth/LoginQueue.ts"
import { settled } from "../support/streams.ts"

/** Draws the same lots each time. */
const lots = () => {
  let state = 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

/** A gate for two, behind which each stays until `next` lets one out. */
const makeGate = (waiting: number) => {
  const gate = LoginQueue.make(2, waiting, lots())
  const inside: Array<{ readonly name: string; readonly out: Deferred.Deferred<void> }> = []
  const entered: Array<string> = []
  return {
    entered,
    come: (name: string, claim: LoginQueue.Claim) => {
      const stay = Effect.gen(function* () {
        const out = yield* Deferred.make<void>()
        inside.push({ name, out })
        entered.push(name)
        yield* Deferred.await(out)
        return name
      })
      const result = Effect.match(Effect.provideService(gate(stay), LoginQueue.Claim, claim), {
        onSuccess: () => "in" as const,
        onFailure: ({ limit }) => limit
      })
      return Effect.forkChild(result, { startImmediately: true })
    },
    next: Effect.gen(function* () {
      const first = inside.shift()
      if (first) yield* Deferred.succeed(first.out, undefined)
      yield* settled
      return first !== undefined
    })
  }
}

const stranger = (...networks: ReadonlyArray<string>): LoginQueue.Claim => ({ isKnown: false, networks })
const known: LoginQueue.Claim = { isKnown: true, networks: ["home"] }

/** From one /48, each from a /64 of its own. */
const flood = (n: number) => stranger(`64 ${n}`, `56 ${n >> 4}`, "48")

describe("LoginQueue", () => {
  it.effect("has places for known users, and serves them first", () =>
    Effect.gen(function* () {
      const { come, entered, next } = makeGate(8)
      for (let n = 0; n < 100; n++) yield* come(`guess ${n}`, stranger(`network ${n}`))
      const users = yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8], (n) => come(`user ${n}`, known))
      yield* settled
      while (yield* next);
      assert.deepStrictEqual(yield* Effect.forEach(users, Fiber.join), new Array(8).fill("in"))
      assert.deepStrictEqual(
        entered.slice(2, 10),
        [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `user ${n}`)
      )
    })
  )

  it.effect("displaces a login of the network with the most logins, and none of a new network", () =>
    Effect.gen(function* () {
      const { come, entered, next } = makeGate(64)
      for (let n = 0; n < 200; n++) yield* come(`guess ${n}`, flood(n))
      const users = yield* Effect.forEach(Array.from({ length: 25 }), (_, n) =>
        come(`user ${n}`, stranger(`203.0.113.${n}/32`))
      )
      for (let n = 200; n < 600; n++) yield* come(`guess ${n}`, flood(n))
      yield* settled
      for (let n = 0; n < 40; n++) yield* next
      assert.isAtLeast(entered.filter((name) => name.startsWith("user")).length, 20)
      while (yield* next);
      assert.deepStrictEqual(yield* Effect.forEach(users, Fiber.join), new Array(25).fill("in"))
    })
  )

  it.effect("displaces at random among networks with equally many logins", () =>
    Effect.gen(function* () {
      const { come, next } = makeGate(32)
      const fibers = yield* Effect.forEach(Array.from({ length: 200 }), (_, n) =>
        come(`${n}`, stranger(`network ${n}`))
      )
      yield* settled
      while (yield* next);
      const results = yield* Effect.forEach(fibers, Fiber.join)
      assert.lengthOf(
        results.filter((it) => it === "in"),
        34
      )
      assert.include(results.slice(100), "in")
      assert.include(results.slice(2, 100), 34)
    })
  )

  it.effect("frees the place of a login that leaves, also while it waits", () =>
    Effect.gen(function* () {
      const { come, entered, next } = makeGate(4)
      const first = yield* Effect.forEach([0, 1, 2, 3, 4, 5], (n) => come(`${n}`, stranger(`${n}`)))
      yield* Effect.forEach([first[2]!, first[5]!, first[0]!], Fiber.interrupt)
      yield* settled
      const others = yield* Effect.forEach([6, 7], (n) => come(`${n}`, stranger(`${n}`)))
      yield* settled
      while (yield* next);
      assert.deepStrictEqual(yield* Effect.forEach(others, Fiber.join), ["in", "in"])
      assert.notInclude(entered, "2")
      assert.notInclude(entered, "5")
      assert.lengthOf(entered, 6)
    })
  )
})
