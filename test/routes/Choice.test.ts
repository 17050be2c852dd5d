/**
 * Which member a session gets.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Choice from "../../src/routes/Choice.ts"
import type { Choice as Name } from "../../src/routes/RouteOptions.ts"
import { holds } from "../support/property.ts"

const members = (...weights: ReadonlyArray<number>) =>
  weights.map((weight, index) => ({ id: `member ${index}`, weight, sessions: 0 }))

const all = () => true

/** A generator of numbers that gives the same ones each time (mulberry32). */
const seeded = () => {
  let state = 1
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const choices: ReadonlyArray<Name> = ["round-robin", "least-sessions", "random", "sticky"]

describe("the choice of a member", () => {
  it("goes round, in proportion to the weights", () => {
    const choose = Choice.make("round-robin", members(1, 2, 1), seeded())
    const chosen = Array.from({ length: 8 }, () => choose(all, undefined)?.id.slice(-1)).join("")
    assert.strictEqual(chosen, "01120112")
  })

  it("goes to the member with the fewest sessions for its weight", () => {
    const [a, b] = members(1, 3)
    const pool = [a!, b!]
    const choose = Choice.make("least-sessions", pool, seeded())
    for (let i = 0; i < 40; i++) {
      const chosen = choose(all, undefined)!
      ;(chosen as { sessions: number }).sessions++
    }
    assert.deepStrictEqual([a!.sessions, b!.sessions], [10, 30])
  })

  it.each(["random", "sticky"] as const)("%s gives each member its share", (name) => {
    const choose = Choice.make(name, members(1, 2, 5), seeded())
    const counts = new Map<string, number>()
    for (let i = 0; i < 8000; i++) {
      const { id } = choose(all, `user ${i}`)!
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    for (const [index, weight] of [1, 2, 5].entries()) {
      assert.closeTo(counts.get(`member ${index}`)!, weight * 1000, 150)
    }
  })

  it("is the same for the same key, on every machine and in every order of members", () => {
    const one = Choice.make("sticky", members(1, 2, 3), seeded())
    const other = Choice.make("sticky", members(1, 2, 3).reverse(), seeded())
    for (let i = 0; i < 100; i++) {
      assert.strictEqual(one(all, `user ${i}`)?.id, other(all, `user ${i}`)?.id)
    }
    // Whatever version of this program chooses.
    assert.strictEqual(["alice", "bob", "carol"].map((key) => one(all, key)?.id.slice(-1)).join(""), "221")
  })

  it("moves only the keys of a member that fails", () =>
    holds(
      fc.property(fc.integer({ min: 0, max: 9 }), fc.array(fc.string(), { minLength: 1 }), (failed, keys) => {
        const pool = members(1, 1, 2, 1, 3, 1, 1, 1, 1, 5)
        const choose = Choice.make("sticky", pool, seeded())
        for (const key of keys) {
          const before = choose(all, key)
          const after = choose((member) => member !== pool[failed], key)
          if (before === pool[failed]) assert.notStrictEqual(after, pool[failed])
          else assert.strictEqual(after, before)
        }
      })
    ))

  it("keeps the choice for a key of many members, as long as that may be used", () => {
    const pool = members(...Array.from({ length: 300 }, (_, i) => 1 + (i % 3)))
    const [choose, again] = [Choice.make("sticky", pool, seeded()), Choice.make("sticky", pool, seeded())]
    for (let i = 0; i < 200; i++) {
      const key = `user ${i}`
      const first = choose(all, key)
      assert.strictEqual(choose(all, key), first)
      const other = choose((member) => member !== first, key)
      assert.notStrictEqual(other, first)
      // The same whether the first choice was known or not.
      assert.strictEqual(
        again((member) => member !== first, key),
        other
      )
      assert.strictEqual(choose(all, key), first)
      assert.isUndefined(choose(() => false, key))
    }
  })

  it.each(choices)("%s finds the one that may be used, and none where there is none", (name) => {
    const pool = members(1, 1, 1, 1)
    const choose = Choice.make(name, pool, seeded())
    for (let i = 0; i < 20; i++) {
      assert.strictEqual(
        choose((member) => member === pool[2], `user ${i}`),
        pool[2]
      )
    }
    assert.isUndefined(choose(() => false, "user"))
    assert.isUndefined(Choice.make(name, [], seeded())(all, "user"))
  })

  it("lets a session without a key take its turn", () => {
    const choose = Choice.make("sticky", members(1, 1), seeded())
    assert.notStrictEqual(choose(all, undefined), choose(all, undefined))
  })
})
