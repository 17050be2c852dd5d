/**
 * The scripts of a fleet in a Redis of a cluster: the keys of each are in one hash slot, also those that it is not told of
 * but makes up. Of scripts that begin with `#!lua` Redis looks at each key, which it does not of others.
 */
import { readdirSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as BanDecisions from "../../src/bans/BanDecisions.ts"
import { BanSharing } from "../../src/bans/Bans.ts"
import { networkOf } from "../../src/bans/BanUpdate.ts"
import * as Hmac from "../../src/base/Hmac.ts"
import { FleetMembership } from "../../src/fleet/FleetMembership.ts"
import { FleetPeers } from "../../src/fleet/FleetPeers.ts"
import { FleetShares } from "../../src/fleet/FleetShares.ts"
import * as FleetSharing from "../../src/fleet/FleetSharing.ts"
import { FleetSlots } from "../../src/fleet/FleetSlots.ts"
import { FleetStart } from "../../src/fleet/FleetStart.ts"
import { FleetStore, hasFailed, run } from "../../src/fleet/FleetStore.ts"
import { FleetTokens } from "../../src/fleet/FleetTokens.ts"
import * as FleetUrl from "../../src/fleet/FleetUrl.ts"
import { FleetUsers } from "../../src/fleet/FleetUsers.ts"
import * as RedisStore from "../../src/fleet/RedisStore.ts"
import type { Script } from "../../src/fleet/Script.ts"
import { FleetSettings } from "../../src/fleet/Settings.ts"
import { ListChecks, TellChecks } from "../../src/fleet/scripts/Checks.ts"
import { UsageSharing } from "../../src/limits/Quotas.ts"
import * as Usage from "../../src/limits/Usage.ts"
import * as Config from "../../src/server/Config.ts"
import { describeWith } from "../support/clients.ts"
import * as Redis from "../support/redis.ts"
import { until } from "../support/until.ts"
import { received } from "../support/usage.ts"
import * as Workers from "../support/workers.ts"

const directory = new URL("../../src/fleet/scripts/", import.meta.url)

/** The names of all scripts. */
const scripts = Effect.promise(async () => {
  const modules = readdirSync(directory).map((file) => import(new URL(file, directory).href))
  return (await Promise.all(modules))
    .flatMap((exports: Readonly<Record<string, Partial<Script<unknown>>>>) => Object.values(exports))
    .flatMap(({ name, lua, run }) =>
      name !== undefined && lua !== undefined && run !== undefined ? [name] : []
    )
})

/** A store whose scripts may use the keys of one hash slot only. */
const strict = (store: FleetStore["Service"]) => {
  const used = new Set<string>()
  const failures: Array<string> = []
  const stricter = new Map<Script<unknown>, Script<unknown>>()
  const call: typeof store.call = (script, keys, args, answer) => {
    const known = stricter.get(script) ?? { ...script, lua: `#!lua\n${script.lua}` }
    stricter.set(script, known)
    store.call(known as typeof script, keys, args, (reply) => {
      if (hasFailed(reply)) failures.push(`${script.name}: ${reply.message}`)
      else used.add(script.name)
      answer(reply)
    })
  }
  return { store: { ...store, call }, used, failures }
}

describeWith(["redis-server"], () => {
  it.live("each script of a fleet uses keys of one hash slot", () =>
    Effect.gen(function* () {
      const [port, busPort] = [yield* Workers.freePort, yield* Workers.freePort]
      const redis = yield* Redis.make({ port, busPort })
      const connection = Context.get(
        yield* Layer.build(RedisStore.layer(Option.getOrThrow(FleetUrl.parse(redis.url)))),
        FleetStore
      )
      const { store, used, failures } = strict(connection)
      const settings = { ...FleetSettings.defaults, fleetLease: Duration.seconds(1) }
      const services = yield* Layer.build(
        FleetSharing.layer({ ...settings, stateDir: undefined }, "secret").pipe(
          Layer.provideMerge(FleetMembership.layer(settings)),
          Layer.provide(Layer.succeed(FleetStore, store))
        )
      )
      yield* Context.get(services, FleetStart).learn()
      const membership = Context.get(services, FleetMembership)

      const member = {}
      const slots = new FleetSlots<object>(membership, "share", () => {})
      const tokens = new FleetTokens<object>(membership, "share", () => {})
      const shares = new FleetShares<object>(membership, "share", () => {})
      for (let user = 0; user < 40; user++) {
        slots.receive(member, { _tag: "ask", key: `user ${user}`, limit: 2, over: 0 })
        tokens.receive(member, { _tag: "token", id: user, key: `user ${user}`, limit: 10, mayHaveMore: true })
        shares.receive(member, { _tag: "enter", name: `upload of user ${user}`, id: user })
      }
      // A machine that is gone, and whose slots another one takes.
      for (let bucket = 0; bucket < 16; bucket++) {
        const base = membership.keys.ofBucket("slots", bucket)
        yield* redis.command("ZADD", `${base}:ends`, "1", "gone")
        yield* redis.command("HSET", `${base}:held:gone`, "other", "1")
        yield* redis.command("HSET", `${base}:of:other`, "gone", "1", "#total", "1")
      }

      const bans = Context.get(services, BanSharing)!
      const decisions = BanDecisions.make(Hmac.hashes, bans.tell)
      bans.attach(decisions)
      const network = networkOf("203.0.113.7/32")
      const attempt = (guess: string) => ({
        ...{ network: "203.0.113.7/32", wider: ["203.0.113.0/24"], area: "203.0.113.0/24" },
        ...{ now: Date.now(), window: 600_000, account: "account", guess: `account ${guess}` }
      })
      for (const guess of ["one", "two"]) {
        yield* decisions.failed("failed", NetAddress.ipFromStringUnsafe("203.0.113.7"), attempt(guess), {
          ...Config.defaults,
          banAfter: 3
        })
      }
      decisions.succeeded(attempt("three"))
      decisions.ban({ network, until: Date.now() + 60_000, reason: "abuse", failures: 3 })
      yield* Effect.sleep("1200 millis")
      decisions.lift(network, Date.now())

      const usage = yield* Context.get(services, UsageSharing)!(Usage.make(), {
        stateDir: undefined,
        quotaResetDay: 1
      })
      for (let user = 0; user < 40; user++) usage.add(`user ${user}`, received(100), Date.now())

      const checks = [membership.keys.ofBucket("checks", 0)]
      yield* run(store, TellChecks, checks, ["channel", "message", "upstream", "up"])
      yield* run(store, ListChecks, checks, [])

      const users = Context.get(services, FleetUsers)
      yield* users.follow(() => Effect.void)
      yield* users.tell({ name: "alice", enabled: false })
      yield* Context.get(services, FleetPeers).ask("how")

      const all = yield* scripts
      membership.connected("another run")
      for (let round = 0; round < 20; round++) {
        membership.beat()
        yield* Effect.sleep("50 millis")
      }
      yield* until(() => failures.length > 0 || all.every((name) => used.has(name)))
      assert.deepStrictEqual(failures, [])
      assert.isAbove(all.length, 14)
    })
  )
})
