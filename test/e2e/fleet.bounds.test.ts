/**
 * What strangers can make the store keep: a bounded number of keys and bytes, whatever they send, and no ban is forgotten for it.
 */
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { FleetStore, run } from "../../src/fleet/FleetStore.ts"
import * as FleetUrl from "../../src/fleet/FleetUrl.ts"
import * as RedisStore from "../../src/fleet/RedisStore.ts"
import { AddUsage } from "../../src/fleet/scripts/AddUsage.ts"
import { type BanBatch, ExchangeBans } from "../../src/fleet/scripts/ExchangeBans.ts"
import { most } from "../../src/fleet/scripts/GuessTable.ts"
import { ListBans } from "../../src/fleet/scripts/ListBans.ts"
import { describeWith } from "../support/clients.ts"
import * as Redis from "../support/redis.ts"

const base = Effect.gen(function* () {
  const redis = yield* Redis.make()
  const services = yield* Layer.build(RedisStore.layer(Option.getOrThrow(FleetUrl.parse(redis.url))))
  const number = (field: RegExp) => (text: string) => Number(field.exec(text)?.[1])
  return {
    store: Context.get(services, FleetStore),
    keys: Effect.map(redis.command("DBSIZE"), number(/:(\d+)/)),
    bytes: Effect.map(redis.command("INFO", "memory"), number(/used_memory:(\d+)/))
  }
})

const bans = ["bans", "ends", "lifted", "revision", "known"].map((kind) => `{1}:${kind}`)

const nothing: BanBatch = { bans: [], lifted: [], guesses: [], forgiven: [], known: [] }

/** Keyed hashes of an account and of a guess are as long as this together. */
const guessOf = (index: number) => `${index}`.padStart(44, "x")

describeWith(["redis-server"], () => {
  it.live("guesses from as many networks as anybody has", () =>
    Effect.gen(function* () {
      const { store, keys, bytes } = yield* base
      const exchange = (batch: Partial<BanBatch>) =>
        run(store, ExchangeBans, bans, [JSON.stringify({ ...nothing, ...batch }), "x", "news", ""])
      yield* exchange({ bans: [["192.0.2.0/24", 3_600_000, "abuse", 0, 1]] })
      const suspect = "203.0.113.7/32"
      const guesses = Array.from({ length: 9 }, (_, index) => [guessOf(index), 600_000, [suspect]] as const)
      yield* exchange({ guesses })
      const before = { keys: yield* keys, bytes: yield* bytes }
      let count = 0
      for (let batch = 0; batch < 10; batch++) {
        const guesses = Array.from({ length: 500 }, () => {
          const network = (++count).toString(16)
          return [
            guessOf(count),
            600_000,
            [`2001:${network}::/64`, `2001:${network}::/56`, `2001:${network}::/48`]
          ] as const
        })
        yield* exchange({ guesses })
      }
      assert.isAtMost((yield* keys) - before.keys, most.networks)
      assert.isAbove((yield* keys) - before.keys, 0.9 * most.networks)
      assert.isBelow((yield* bytes) - before.bytes, 16 * 2 ** 20)
      const [, , [counts] = []] = yield* exchange({ guesses: [[guessOf(9), 600_000, [suspect]]] })
      assert.deepStrictEqual(counts, [10])
      const [, listed] = yield* run(store, ListBans, bans, [])
      assert.deepStrictEqual(
        listed.map(([network]) => network),
        ["192.0.2.0/24"]
      )
    })
  )

  it.live("as many guesses of a network as anybody makes", () =>
    Effect.gen(function* () {
      const { store, bytes } = yield* base
      const network = "203.0.113.7/32"
      const guess = (first: number) => {
        const guesses = Array.from({ length: 500 }, (_, index) => [
          guessOf(first + index),
          600_000,
          [network]
        ])
        return run(store, ExchangeBans, bans, [JSON.stringify({ ...nothing, guesses }), "x", "news", ""])
      }
      yield* guess(0)
      const before = yield* bytes
      for (let batch = 1; batch < 20; batch++) yield* guess(500 * batch)
      assert.isBelow((yield* bytes) - before, 2 ** 17)
      const [, , counts = []] = yield* guess(10_000)
      assert.deepStrictEqual(counts.at(-1), [10_500])
    })
  )

  it.live("usage of accounts by servers that are started again and again", () =>
    Effect.gen(function* () {
      const { store, keys, bytes } = yield* base
      const accounts = Array.from({ length: 100 }, (_, index) => `{1}:usage:user ${index}`)
      const row = [0, 0, 0, 0, 1, "2026-11-29", "2026-11-01", 1000]
      const add = (name: string) =>
        run(
          store,
          AddUsage,
          [`{1}:batches:${name}`, ...accounts],
          [1, "2026-11-29", "2026-11-01", "2026-10-29", ...accounts.flatMap(() => row)]
        )
      yield* add("first")
      const before = { keys: yield* keys, bytes: yield* bytes }
      for (let server = 0; server < 300; server++) yield* add(`server ${server}`)
      assert.strictEqual((yield* keys) - before.keys, 300)
      // Of each server something small, and not of each with each account.
      assert.isBelow((yield* bytes) - before.bytes, 300 * 1024)
    })
  )
})
