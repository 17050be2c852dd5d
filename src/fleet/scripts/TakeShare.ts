/**
 * The share of a limited rate that a machine may use, by its demand. Shares are millionths of the rate.
 *
 * The shares of all machines never add up to more than the rate: a machine gets more only of what is left, and less
 * counts only when the machine says, at its next call, that it uses less.
 */

import * as RateAllocator from "../../limits/RateAllocator.ts"
import * as Replies from "../Replies.ts"
import { clock, type Script } from "../Script.ts"
import { epochLua, epochOf } from "./Begin.ts"

/** The whole rate. */
export const whole = 1_000_000

/** What a machine needs: nothing, as it leaves; less than its share; or all of it. */
export const Demand = { none: 0, idle: 1, busy: 2 } as const

/** Machines that are told of a change at once. Where there are more, each learns of it at its next call. */
const told = 64

/**
 * A machine with less than this part of what it may have comes first, and tells the others, which else learn of it at their next
 * call.
 */
const little = 8

/**
 * KEYS: epoch, shares, ends. ARGV: the machine; the name of the limit; what channels of machines begin with; the number
 * of the order; its demand; the share that it uses; the milliseconds for which it counts. The reply is the share that it
 * may use; -1 if a later order was there before.
 *
 * `shares` is a hash: share, demand, order and lack of each machine, `#share` and `#lack` of all, and `#busy`, the number of those
 * that need all of theirs. A store that has forgotten gives nobody more, until all have said what they use.
 *
 * A machine with little or nothing lacks the rest. Those that lack some divide what is free, and others get what is left of it:
 * else one that always asks when others have just taken all would have nothing for long.
 */
export const TakeShare: Script<number> = {
  name: "take-share",
  isReply: Replies.integer,
  lua: `${clock}${epochLua}
local shares, ends = KEYS[2], KEYS[3]
local machine, name, channels, order = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local demand, using, lease = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local function part(of)
  local text = redis.call('HGET', shares, of)
  if not text then return 0, 0, 0, 0 end
  local share, demand, order, lack = string.match(text, '^(%d+) (%d+) (%d+) (%d+)$')
  return tonumber(share), tonumber(demand), tonumber(order), tonumber(lack)
end

local before, _, last = part(machine)
if last > order then return -1 end
local gone = redis.call('ZRANGEBYSCORE', ends, '-inf', now)
gone[#gone + 1] = machine
for _, one in ipairs(gone) do
  local share, demand, _, lack = part(one)
  redis.call('HINCRBY', shares, '#share', 0 - share)
  if lack > 0 then redis.call('HINCRBY', shares, '#lack', 0 - lack) end
  if demand == 2 then redis.call('HINCRBY', shares, '#busy', -1) end
  redis.call('HDEL', shares, one)
  redis.call('ZREM', ends, one)
end
local target, share = 0, using
if demand > 0 then
  local known = redis.call('HMGET', shares, '#share', '#busy', '#lack')
  local free = math.max(${whole} - tonumber(known[1] or 0) - using, 0)
  local busy, others = tonumber(known[2] or 0) + demand - 1, tonumber(known[3] or 0)
  local all = redis.call('ZCARD', ends) + 1
  local idle = all - busy
  local fraction = 1 / idle
  if busy > 0 then fraction = math.min(1 / (8 * all), 1 / (20 * idle)) end
  if demand == 2 then fraction = (1 - idle * fraction) / busy end
  target = math.floor(${whole} * fraction)
  local wanted = math.max(target - using, 0)
  if wanted > 0 and now - epoch(KEYS[1]) >= lease then
    local most = math.max(free - others, 0)
    if ${little} * using < target then most = math.ceil(free * wanted / (wanted + others)) end
    share = using + math.min(wanted, most)
  end
  local lack = 0
  if ${little} * share < target then lack = target - share end
  redis.call('HSET', shares, machine, string.format('%d %d %d %d', share, demand, order, lack))
  redis.call('HINCRBY', shares, '#share', share)
  if lack > 0 then redis.call('HINCRBY', shares, '#lack', lack) end
  if demand == 2 then redis.call('HINCRBY', shares, '#busy', 1) end
  redis.call('ZADD', ends, now + lease, machine)
end
if (${little} * share < target or using < before) and redis.call('ZCARD', ends) <= ${told} then
  for _, holder in ipairs(redis.call('ZRANGE', ends, 0, -1)) do
    if holder ~= machine then redis.call('PUBLISH', channels .. holder, 'share ' .. name) end
  end
end
redis.call('PEXPIRE', shares, 2 * lease)
redis.call('PEXPIRE', ends, 2 * lease)
return math.min(share, target)`,
  run: (database, keys, args) => {
    const [epoch, shares, ends] = keys as [string, string, string]
    const [machine, name, channels] = args as [string, string, string]
    const [order, demand, using, lease] = args.slice(3).map(Number) as [number, number, number, number]
    const now = database.now()
    const part = (of: string) => {
      const [share = 0, demand = 0, order = 0, lack = 0] =
        database.hget(shares, of)?.split(" ").map(Number) ?? []
      return { share, demand, order, lack }
    }
    const { share: before, order: last } = part(machine)
    if (last > order) return -1
    for (const one of [...database.zrange(ends, now), machine]) {
      const { share, demand, lack } = part(one)
      database.hincrby(shares, "#share", -share)
      database.hincrby(shares, "#lack", -lack)
      if (demand === Demand.busy) database.hincrby(shares, "#busy", -1)
      database.hdel(shares, one)
      database.zrem(ends, one)
    }
    let target = 0
    let share = using
    if (demand > Demand.none) {
      const free = Math.max(whole - Number(database.hget(shares, "#share") ?? 0) - using, 0)
      const others = Number(database.hget(shares, "#lack") ?? 0)
      const busy = Number(database.hget(shares, "#busy") ?? 0) + demand - 1
      const parts = RateAllocator.partsOf(busy, database.zcard(ends) + 1 - busy)
      target = Math.floor(whole * (demand === Demand.busy ? parts.busy : parts.idle))
      const wanted = Math.max(target - using, 0)
      if (wanted > 0 && now - epochOf(database, epoch) >= lease) {
        const isLittle = little * using < target
        const most = isLittle ? Math.ceil((free * wanted) / (wanted + others)) : Math.max(free - others, 0)
        share = using + Math.min(wanted, most)
      }
      const lack = little * share < target ? target - share : 0
      database.hset(shares, machine, `${share} ${demand} ${order} ${lack}`)
      database.hincrby(shares, "#share", share)
      database.hincrby(shares, "#lack", lack)
      if (demand === Demand.busy) database.hincrby(shares, "#busy", 1)
      database.zadd(ends, machine, now + lease)
    }
    if ((little * share < target || using < before) && database.zcard(ends) <= told) {
      for (const holder of database.zrange(ends)) {
        if (holder !== machine) database.publish(`${channels}${holder}`, `share ${name}`)
      }
    }
    database.pexpire(shares, 2 * lease)
    database.pexpire(ends, 2 * lease)
    return Math.min(share, target)
  }
}
