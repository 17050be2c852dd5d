/**
 * The scripts of what a fleet shares in a real Redis, beside the same in memory: the same histories have the same replies.
 */
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { FleetStore, run } from "../../src/fleet/FleetStore.ts"
import * as FleetUrl from "../../src/fleet/FleetUrl.ts"
import * as Keys from "../../src/fleet/Keys.ts"
import * as MemoryStore from "../../src/fleet/MemoryStore.ts"
import * as RedisStore from "../../src/fleet/RedisStore.ts"
import type { Script } from "../../src/fleet/Script.ts"
import { AddUsage } from "../../src/fleet/scripts/AddUsage.ts"
import * as Beat from "../../src/fleet/scripts/Beat.ts"
import { ListChecks, TellChecks } from "../../src/fleet/scripts/Checks.ts"
import { type BanBatch, ExchangeBans } from "../../src/fleet/scripts/ExchangeBans.ts"
import { ListBans, ListKnown } from "../../src/fleet/scripts/ListBans.ts"
import { ListMachines } from "../../src/fleet/scripts/ListMachines.ts"
import { Salt } from "../../src/fleet/scripts/Salt.ts"
import { AddUserChange, ListUserChanges } from "../../src/fleet/scripts/UserChanges.ts"
import { describeWith } from "../support/clients.ts"
import { chance } from "../support/fleet.ts"
import * as Redis from "../support/redis.ts"

describeWith(["redis-server"], () => {
  it.live("scripts of bans, usage and machines do in Redis what they do in memory", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.make()
      const services = yield* Layer.build(RedisStore.layer(Option.getOrThrow(FleetUrl.parse(redis.url))))
      const store = Context.get(services, FleetStore)
      const memory = MemoryStore.make({
        now: Date.now,
        after: (milliseconds, call) => {
          if (milliseconds <= 0) queueMicrotask(call)
        }
      })
      const { store: twin, listen } = memory.connect()
      const heard: Array<unknown> = []
      const expected: Array<unknown> = []
      const newsOf = (text: string) => {
        const { at, ...news } = JSON.parse(text)
        return { ...news, isRecent: Math.abs(Date.now() - at) < 30_000 }
      }
      yield* store.subscribe("news", (text) => heard.push(newsOf(text)))
      listen("news", (text) => expected.push(newsOf(text)))
      const both = <Reply>(
        script: Script<Reply>,
        keys: ReadonlyArray<string>,
        args: ReadonlyArray<string | number>
      ) => Effect.all([run(store, script, keys, args), run(twin, script, keys, args)])
      const random = chance(20_261_129)
      const pick = <A>(all: ReadonlyArray<A>): A => all[Math.floor(random() * all.length)]!
      const some = <A>(make: () => A): ReadonlyArray<A> => (random() < 0.5 ? [] : [make(), make()])

      const bans = ["bans", "ends", "lifted", "revision", "known"].map((kind) => `{1}:${kind}`)
      const networks = ["203.0.113.7/32", "2001:db8::/64", "2001:db8::/56"]
      // Each is far from the others, as the two do not read the clock in the same millisecond.
      let times = 0
      const time = () => 60_000 + 5000 * ++times
      const age = () => (random() < 0.3 ? 500 : 1) * (4_000_000 - time())
      /** Once, or twice, as by two machines. */
      const once = <A>(all: ReadonlyArray<A>): ReadonlyArray<A> => (random() < 0.3 ? [...all, ...all] : all)
      const assertNear = (
        real: ReadonlyArray<readonly [string, ...ReadonlyArray<unknown>]>,
        other: typeof real,
        message: string
      ) => {
        const sorted = (rows: typeof real) => [...rows].sort(([one], [two]) => (one < two ? -1 : 1))
        const others = sorted(other)
        assert.strictEqual(real.length, other.length, message)
        for (const [index, row] of sorted(real).entries()) {
          for (const [place, field] of row.entries()) {
            const twin = others[index]![place]
            if (typeof field === "number") assert.isAtMost(Math.abs(field - Number(twin)), 1000, message)
            else assert.strictEqual(field, twin, message)
          }
        }
      }
      for (let step = 0; step < 200; step++) {
        const batch: BanBatch = {
          // Unknown, right, and long ago.
          sentAt: pick([undefined, Date.now(), Date.now(), Date.now() - 60_000]),
          bans: once(some(() => [pick(networks), time(), `for "${step}"`, step, age()])),
          lifted: once(some(() => [pick(networks), age()])),
          guesses: some(() => [`account${pick([1, 2])}${pick(["a", "b", "c"])}`, 60_000, networks]),
          forgiven: some(() => [`account${pick([1, 2])}`, networks]),
          known: some(() => [`account ${pick(networks)}`, Date.now() - pick([1, 2, 3]) * 3_600_000])
        }
        const news = random() < 0.5 ? "" : `"step":${step}`
        const [real, other] = yield* both(ExchangeBans, bans, [JSON.stringify(batch), "x", "news", news])
        assert.deepStrictEqual(real, other, `step ${step}`)
        if (step % 10 > 0) continue
        const [list, same] = yield* both(ListBans, bans, [])
        assert.strictEqual(list[0], same[0])
        assertNear(list[1], same[1], `step ${step}`)
        assertNear(list[2], same[2], `step ${step}`)
        const [known, others] = yield* both(ListKnown, bans, [])
        assert.deepStrictEqual([...known].sort(), [...others].sort())
      }
      while (heard.length < expected.length) yield* Effect.sleep("10 millis")
      assert.deepStrictEqual(heard, expected)

      for (let step = 0; step < 200; step++) {
        const day = pick(["2026-11-29", "2026-11-30", "2026-12-01"])
        const month = `${day.slice(0, 7)}-01`
        const usageOf = () => {
          const rows = some(() => {
            const on = pick([day, "2026-11-29"])
            return [on, `${on.slice(0, 7)}-01`, Math.floor(random() * 2 ** 40)]
          })
          const known = random() < 0.1 ? [500, 5000] : [0, 0]
          const seeds = [random() < 0.1 ? 9 : 0, random() < 0.1 ? 90 : 0]
          return [...seeds, ...known, rows.length, ...rows.flat()]
        }
        const [real, other] = yield* both(
          AddUsage,
          [pick(["{1}:batches:1", "{1}:batches:2"]), "{1}:usage:a", "{1}:usage:b"],
          [...[Math.ceil(random() * step), day, month, "2026-11-28"], ...usageOf(), ...usageOf()]
        )
        assert.deepStrictEqual(real, other, `step ${step}`)
      }

      for (const text of ["one", "two"]) assert.deepStrictEqual(...(yield* both(Salt, ["salt"], [text])))
      for (let step = 0; step < 20; step++) {
        const users = ["{1}:users"]
        const added = yield* both(AddUserChange, users, [`change ${step}`, "id", "users"])
        assert.deepStrictEqual(...added)
        const listed = yield* both(ListUserChanges, users, ["other", pick(["id", ""]), pick([0, step])])
        assert.deepStrictEqual(...listed)
      }
      for (let step = 0; step < 20; step++) {
        const found = [`check${step % 7}`, `{"step":${step}}`, "last", `"\u2028" ${step}`]
        const told = yield* both(TellChecks, ["{1}:checks"], ["news", `{"step":${step}}`, ...found])
        assert.deepStrictEqual(...told)
        const [[now, listed], [, others]] = yield* both(ListChecks, ["{1}:checks"], [])
        assert.isAtMost(Math.abs(now - Date.now()), 60_000)
        // Without the times.
        const sorted = (all: ReadonlyArray<string>) => all.map((text) => text.replace(/^\d{13} /, "")).sort()
        assert.deepStrictEqual(sorted(listed), sorted(others))
        for (const text of listed) assert.match(text, /^(check\d|last|\d{13} .*)$/s)
      }
      const beats = Beat.keys(Keys.make("twin"))
      for (const machine of ["one", "two"]) yield* both(Beat.Beat, beats, [machine, `of ${machine}`, 60_000])
      const [real, other] = yield* both(ListMachines, beats, [])
      const told = (rows: typeof real) => rows.map(([machine, text]) => `${machine} ${text}`).sort()
      assert.deepStrictEqual(told(real), ["one of one", "two of two"])
      assert.deepStrictEqual(told(other), told(real))
    })
  )
})
