/**
 * The scripts of a fleet in a real Redis, beside the same in memory: the same histories have the same replies.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { FleetStore, run } from "../../src/fleet/FleetStore.ts"
import * as FleetUrl from "../../src/fleet/FleetUrl.ts"
import * as Keys from "../../src/fleet/Keys.ts"
import * as MemoryStore from "../../src/fleet/MemoryStore.ts"
import * as RedisStore from "../../src/fleet/RedisStore.ts"
import type { Script } from "../../src/fleet/Script.ts"
import { AcquireSlots } from "../../src/fleet/scripts/AcquireSlots.ts"
import * as Beat from "../../src/fleet/scripts/Beat.ts"
import { Begin } from "../../src/fleet/scripts/Begin.ts"
import { PutSlots } from "../../src/fleet/scripts/PutSlots.ts"
import { RenewSlots } from "../../src/fleet/scripts/RenewSlots.ts"
import { TakeShare } from "../../src/fleet/scripts/TakeShare.ts"
import { TakeTokens } from "../../src/fleet/scripts/TakeTokens.ts"
import { describeWith } from "../support/clients.ts"
import { chance } from "../support/fleet.ts"
import * as Redis from "../support/redis.ts"
import { until } from "../support/until.ts"

const connect = (url: string) => RedisStore.layer(Option.getOrThrow(FleetUrl.parse(url)))

describeWith(["redis-server"], () => {
  it.live("scripts in Redis do what they do in memory", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.make()
      const messages: Array<string> = []
      const expected: Array<string> = []
      const memory = MemoryStore.make({
        now: Date.now,
        after: (milliseconds, call) => {
          if (milliseconds <= 0) queueMicrotask(call)
        }
      })
      const connection = memory.connect()
      yield* Effect.gen(function* () {
        const store = yield* FleetStore
        const keys = Keys.make("twin")
        const machines = ["one", "two", "three", "four"]
        for (const machine of machines) {
          const channel = keys.channel(machine)
          yield* store.subscribe(channel, (text) => messages.push(`${machine}: ${text}`))
          connection.listen(channel, (text) => expected.push(`${machine}: ${text}`))
        }
        let orders = 0
        const both = Effect.fnUntraced(function* <Reply>(
          script: Script<Reply>,
          names: ReadonlyArray<string>,
          args: ReadonlyArray<string | number>
        ) {
          const real = yield* run(store, script, names, args)
          const twin = yield* run(connection.store, script, names, args)
          return [real, twin] as const
        })
        const random = chance(20_261_129)
        const pick = <A>(all: ReadonlyArray<A>): A => all[Math.floor(random() * all.length)]!
        // Not by the clock, which the two do not read in the same millisecond: leases are long, and the epoch is old.
        const names = ["user alice", "all"]
        for (const name of names) {
          const epoch = keys.ofBucket("epoch", Keys.bucketOf(name))
          yield* both(Begin, [epoch], ["run"])
          yield* redis.command("HSET", epoch, "at", "1000")
          memory.database.hset(epoch, "at", 1000)
        }
        const baseOf = (name: string) => keys.ofBucket("slots", Keys.bucketOf(name))
        const [lease, patience, refusal] = [60_000, 30_000, 20_000]
        const held = new Map<string, number>()
        for (let step = 0; step < 900; step++) {
          // Both have the order of what comes in different milliseconds.
          yield* Effect.sleep("2 millis")
          const [machine, name] = [pick(machines), pick(names)]
          const epoch = keys.ofBucket("epoch", Keys.bucketOf(name))
          const place = `${machine} ${name}`
          const order = random() < 0.02 ? 1 : ++orders
          const round = String(Math.ceil(random() * 30))
          let replies: readonly [unknown, unknown]
          const kind = random()
          if (kind < 0.5) {
            const have = held.get(place) ?? 0
            const [one, other] = yield* both(
              AcquireSlots,
              [baseOf(name), epoch],
              [machine, lease, order, keys.channels, name, have, 1, 20, 8, patience, refusal]
            )
            held.set(place, have + one[0])
            replies = [one, other]
          } else if (kind < 0.8) {
            const count = Math.floor(random() * (held.get(place) ?? 0))
            held.set(place, count)
            const [one, other] = yield* both(
              PutSlots,
              [baseOf(name), epoch],
              [
                ...[machine, lease, order, keys.channels, patience, refusal],
                ...[name, count, pick([0, 20]), random() < 0.5 ? round : "0"]
              ]
            )
            replies = [one[1], other[1]]
          } else if (kind < 0.88) {
            const known = pick([0, order, 1])
            const [one, other] = yield* both(
              RenewSlots,
              [baseOf(name), epoch],
              [machine, lease, order, known]
            )
            replies = [
              [one[0], [...(one[2] ?? [])].sort()],
              [other[0], [...(other[2] ?? [])].sort()]
            ]
          } else if (kind < 0.91) {
            // The lease of a machine ends.
            yield* redis.command("ZADD", `${baseOf(name)}:ends`, "1", machine)
            memory.database.zadd(`${baseOf(name)}:ends`, machine, 1)
            held.set(place, 0)
            replies = [0, 0]
          } else {
            const weight = pick([0, 1, 8])
            replies = yield* both(
              TakeShare,
              [epoch, keys.of("shares", name), keys.of("share-ends", name)],
              [machine, name, keys.channels, order, weight, Math.floor(random() * 300_000), lease, 4]
            )
          }
          assert.deepStrictEqual(replies[0], replies[1], `step ${step}`)
          // A refusal would hold on for all.
          if (step % 50 === 0) {
            yield* redis.command("HDEL", `"${baseOf(name)}:of:${name}"`, "#full")
            memory.database.hdel(`${baseOf(name)}:of:${name}`, "#full")
          }
        }
        const [count, twin] = yield* both(Beat.Beat, Beat.keys(keys), ["one", "told", 1000])
        assert.strictEqual(count[0], twin[0])
        assert.isAtMost(Math.abs(count[1] - Date.now()), 1000)

        // A bucket that is full, emptied, and given back to. It fills while the test waits, so the two may differ by that.
        const bucket = [keys.ofBucket("epoch", Keys.bucketOf("all")), keys.of("tokens", "all")]
        const startedAt = performance.now()
        for (const want of [3, 100, 5, -4, 3, 2]) {
          const [one, other] = yield* both(TakeTokens, bucket, [want, 10])
          const filled = ((performance.now() - startedAt) / 1000) * 10
          assert.isAtMost(Math.abs(one[0] - other[0]), 1 + filled, `${want} tokens`)
        }
        yield* until(() => messages.length >= expected.length)
        // Those that have slots are asked in any order.
        for (const machine of machines) {
          const toMachine = (text: string) => text.startsWith(`${machine}:`)
          assert.deepStrictEqual(messages.filter(toMachine), expected.filter(toMachine))
        }
        assert.isAbove(messages.length, 50)
      }).pipe(Effect.provide(connect(redis.url)))
    })
  )

  it.live("connects again, and tells of another run", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.make({ password: "s3cr3t" })
      yield* Effect.gen(function* () {
        const store = yield* FleetStore
        assert.notInclude(store.name, "s3cr3t")
        const runs: Array<string> = []
        const heard: Array<string> = []
        yield* store.onConnect((run) => runs.push(run))
        yield* store.subscribe("news", (text) => heard.push(text))
        const begin = run(store, Begin, ["epoch"], ["1"])
        assert.strictEqual(yield* begin, 0)
        yield* redis.kill
        const failure = yield* Effect.flip(begin)
        assert.strictEqual(failure._tag, "FleetStoreFailed")
        assert.isFalse(store.isConnected())
        yield* redis.start
        yield* until(() => store.isConnected())
        assert.strictEqual(yield* begin, 0)
        assert.lengthOf(new Set(runs), 2)
        store.publish("news", "again")
        yield* until(() => heard.length > 0)

        // A store that stands still fails the calls, and is left.
        yield* redis.signal("SIGSTOP")
        const startedAt = performance.now()
        yield* Effect.flip(begin)
        assert.isBelow(performance.now() - startedAt, 2500)
        yield* until(() => !store.isConnected())
        yield* redis.signal("SIGCONT")
        yield* until(() => store.isConnected())
        yield* begin
        assert.lengthOf(runs, 3)
      }).pipe(Effect.provide(connect(redis.url)))

      const wrong = yield* Effect.flip(
        Effect.provide(FleetStore, connect(redis.url.replace("s3cr3t", "0th3r")))
      )
      assert.match(wrong.message, /^cannot use the fleet's store redis\+unix:.*WRONGPASS/)
    }).pipe(Effect.scoped)
  )
})
