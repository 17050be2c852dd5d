/**
 * A store in which somebody has written what no machine does: nothing of it ends a machine, or gives it more than a limit.
 */
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as References from "effect/References"
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
import { FleetStore, run } from "../../src/fleet/FleetStore.ts"
import { FleetTokens } from "../../src/fleet/FleetTokens.ts"
import * as FleetUrl from "../../src/fleet/FleetUrl.ts"
import { bucketOf } from "../../src/fleet/Keys.ts"
import * as RedisStore from "../../src/fleet/RedisStore.ts"
import * as Replies from "../../src/fleet/Replies.ts"
import type { Script } from "../../src/fleet/Script.ts"
import { FleetSettings } from "../../src/fleet/Settings.ts"
import { UsageSharing } from "../../src/limits/Quotas.ts"
import * as Usage from "../../src/limits/Usage.ts"
import { describeWith } from "../support/clients.ts"
import * as Redis from "../support/redis.ts"
import { until } from "../support/until.ts"
import { received } from "../support/usage.ts"

/** Sets all that is in the store to one value, or to a value of another type. */
const Poison: Script<number> = {
  name: "poison",
  isReply: Replies.integer,
  lua: `
local value, isNumber = ARGV[1], tonumber(ARGV[1]) and ARGV[1] ~= 'nan'
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  if value == 'another type' then
    redis.call('DEL', key)
    redis.call('RPUSH', key, value)
  elseif kind == 'hash' then
    for _, field in ipairs(redis.call('HKEYS', key)) do redis.call('HSET', key, field, value) end
  elseif kind == 'zset' and isNumber then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZADD', key, value, member) end
  elseif kind == 'zset' then
    redis.call('ZADD', key, '1e15', value)
  end
end
return 0`,
  run: () => 0
}

const values = [
  ...["nan", "inf", "-inf", "-1000000", "0", "1e300", "9223372036854775807", "-9223372036854775808"],
  ...["", "x", "999999 2 0", "0 0 999999999", "another type"]
]

const limit = 10
const key = "user alice"
const bandwidth = "upload of user alice"

describeWith(["redis-server"], () => {
  it.live(
    "hostile values and messages in the store neither end a machine nor give it more than a limit",
    () =>
      Effect.gen(function* () {
        const redis = yield* Redis.make()
        const store = Context.get(
          yield* Layer.build(RedisStore.layer(Option.getOrThrow(FleetUrl.parse(redis.url)))),
          FleetStore
        )
        const settings = { ...FleetSettings.defaults, fleetLease: Duration.seconds(1) }
        const services = yield* Layer.build(
          FleetSharing.layer({ ...settings, stateDir: undefined }, "secret").pipe(
            Layer.provideMerge(FleetMembership.layer(settings)),
            Layer.provide(Layer.succeed(FleetStore, store))
          )
        )
        const membership = Context.get(services, FleetMembership)
        let tokens = 0
        const member = {}
        const slots = new FleetSlots<object>(membership, "share", () => {})
        const rates = new FleetTokens<object>(membership, "share", (_, { wait }) => {
          if (wait === 0) tokens++
        })
        const shares = new FleetShares<object>(membership, "share", (one, { name, turn }) =>
          membership.after(1, () => shares.receive(one, { _tag: "kept", name, turn }))
        )
        yield* store.subscribe(
          membership.keys.channel(membership.id),
          (text) => void (slots.notice(text) || shares.notice(text))
        )
        const bans = Context.get(services, BanSharing)!
        const decisions = BanDecisions.make(Hmac.hashes, bans.tell)
        bans.attach(decisions)
        const usage = yield* Context.get(services, UsageSharing)!(Usage.make(), {
          stateDir: undefined,
          quotaResetDay: 1
        })
        decisions.ban({
          ...{ network: networkOf("203.0.113.7/32"), until: Date.now() + 60_000 },
          ...{ reason: "abuse", failures: 0 }
        })
        yield* Context.get(services, FleetStart).learn()
        shares.receive(member, { _tag: "enter", name: bandwidth, id: 1 })
        let used = 0
        let id = 0
        const use = () => {
          usage.add(key, received(1000), Date.now())
          used += 1000
          slots.receive(member, { _tag: "ask", key, limit, over: 0 })
          for (let count = 0; count < 3 * limit; count++) {
            rates.receive(member, { _tag: "token", id: ++id, key, limit, mayHaveMore: true })
          }
        }
        const isBanned = () =>
          decisions.find(NetAddress.ipFromStringUnsafe("203.0.113.7"), Date.now()) !== undefined
        use()
        yield* until(() => shares.share(bandwidth) > 0.99 && slots.leased(key) > 0)
        yield* Effect.sleep("1200 millis")

        const channels = ["", ":bans", ":logins", ":users", ":questions"].map(
          (kind) => `${membership.keys.broadcast}${kind}`
        )
        for (const value of values) {
          yield* run(store, Poison, [], [value])
          for (const channel of [...channels, membership.keys.channel(membership.id)]) {
            for (const text of [value, "null", "{}", `{"from":"x","logins":[[1]],"bans":[["x",1]]}`]) {
              store.publish(channel, text)
            }
          }
          const before = tokens
          use()
          membership.beat()
          yield* Effect.sleep("150 millis")
          use()
          yield* Effect.sleep("150 millis")
          assert.isAtMost(slots.leased(key), limit, value)
          assert.isAtMost(shares.share(bandwidth), 1, value)
          // A second of the rate at once, that of the store or of this machine without it, and what comes meanwhile.
          assert.isAtMost(tokens - before, 2.5 * limit, value)
          assert.isAtLeast(usage.of(key, Date.now()).month, used, value)
          assert.isAtLeast(membership.machines, 1, value)
          assert.isTrue(isBanned(), value)
        }
        // When the store is as it has to be again, so is the machine.
        yield* redis.command("FLUSHALL")
        yield* until(() => !membership.isLost)
        yield* until(() => {
          membership.beat()
          shares.sweep()
          return shares.share(bandwidth) > 0.99
        })
        const before = tokens
        use()
        yield* until(() => tokens > before)
        decisions.ban({
          ...{ network: networkOf("203.0.113.8/32"), until: Date.now() + 60_000 },
          ...{ reason: "abuse", failures: 0 }
        })
        yield* Effect.sleep("1500 millis")
        const stored = yield* redis.command("HKEYS", membership.keys.ofBucket("bans", bucketOf("bans")))
        assert.include(stored, "203.0.113.7/32")
        assert.include(stored, "203.0.113.8/32")
        assert.isFalse((yield* Context.get(services, FleetPeers).ask("how")).isStoreLost)
      }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
})
