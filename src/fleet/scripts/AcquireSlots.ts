/**
 * Leases slots of a counted limit to a machine. Without a free slot the machines that hold some are asked for those
 * that they do not use, once for all that wait.
 */
import * as Replies from "../Replies.ts"
import { clock, type Script } from "../Script.ts"
import { epochLua, epochOf } from "./Begin.ts"
import { lua, SlotTable } from "./SlotTable.ts"

/** Milliseconds in which machines answer a recall, and for which a refusal holds for all machines that ask. */
export const patience = 250
export const refusal = 100

/** How a request for slots ends, or goes on. */
export const Outcome = {
  granted: 0,
  /** Others are asked. A notice says when to ask again, or that all slots are in use. */
  waiting: 1,
  /** All slots are in use. */
  full: 2,
  /** The store has forgotten what is leased, and leases nothing yet. */
  forgotten: 3,
  /** A later order of this machine was there before. */
  late: 4
} as const

/**
 * KEYS: what the names of the bucket's keys begin with, and the epoch. ARGV: the machine; the milliseconds of a lease; the
 * number of the order; what channels of machines begin with; the key of the limit; how many slots the machine has, and how
 * many it wants; the limit; the part of the free slots that is leased at once; the milliseconds of a recall, and for which
 * a refusal holds.
 *
 * The machine says what it has, since the answer to an earlier request may have been lost.
 */
export const AcquireSlots: Script<readonly [count: number, outcome: number]> = {
  name: "acquire-slots",
  isReply: Replies.tuple([Replies.integer, Replies.integer]),
  lua: `${clock}${epochLua}${lua}
local channels, key = ARGV[4], ARGV[5]
local have, want, limit, part = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local patience, full = tonumber(ARGV[10]), tonumber(ARGV[11])
local slots, waiting, open = slotsOf(key), base .. ':waiting:' .. key, base .. ':open:' .. key

if not take(tonumber(ARGV[3])) then return { 0, 4 } end
local known = redis.call('HMGET', slots, machine, '#total', '#limit', '#full')
local before, all = tonumber(known[1] or 0), tonumber(known[2] or 0)
if known[3] ~= ARGV[8] then redis.call('HSET', slots, '#limit', limit) end
if now - epoch(KEYS[2]) < lease then
  put(key, before, have, all)
  return { 0, 3 }
end

local ahead, isWaited = 0, redis.call('EXISTS', waiting) == 1
if isWaited then
  redis.call('ZREMRANGEBYSCORE', waiting, '-inf', now - patience)
  ahead = redis.call('ZRANK', waiting, machine) or redis.call('ZCARD', waiting)
end
local free, mayAsk = limit - all + before - have, false
if free <= ahead then
  mayAsk = now >= tonumber(known[4] or 0) and redis.call('SCARD', open) == 0
  reclaim(key, mayAsk)
  all = tonumber(redis.call('HGET', slots, '#total') or 0)
  free = limit - all + before - have
end
if free > ahead then
  local count = math.min(math.max(want, math.floor((free - ahead) / part)), free - ahead)
  put(key, before, have + count, all)
  if not isWaited then return { count, 0 } end
  redis.call('ZREM', waiting, machine)
  if count == free and redis.call('ZCARD', waiting) > 0 and redis.call('SCARD', open) == 0 then
    refuse(key, waiting, channels, full)
  elseif count < free then
    local after = redis.call('ZRANGE', waiting, 0, 0)[1]
    if after then redis.call('PUBLISH', channels .. after, 'free ' .. key) end
  end
  return { count, 0 }
end
put(key, before, have, all)
if now < tonumber(known[4] or 0) then return { 0, 2 } end
if mayAsk then
  local round = redis.call('HINCRBY', slots, '#round', 1)
  local asked = 0
  for _, holder in ipairs(redis.call('HKEYS', slots)) do
    if holder ~= machine and string.sub(holder, 1, 1) ~= '#' then
      asked = asked + 1
      redis.call('SADD', open, holder)
      redis.call('PUBLISH', channels .. holder, 'recall ' .. round .. ' ' .. key)
    end
  end
  if asked == 0 and free <= 0 then return { 0, 2 } end
  redis.call('PEXPIRE', open, patience)
end
redis.call('ZADD', waiting, 'NX', now, machine)
redis.call('PEXPIRE', waiting, patience)
return { 0, 1 }`,
  run: (database, [base = "", epoch = ""], args) => {
    const [machine = "", lease = "0", order = "0", channels = "", key = "", ...rest] = args
    const [have, want, limit, part, patience, full] = rest.map(Number) as [
      ...[number, number, number, number],
      ...[number, number]
    ]
    const now = database.now()
    const table = new SlotTable(database, base, machine, Number(lease))
    const [slots, waiting, open] = [table.slotsOf(key), table.waitingFor(key), table.openOf(key)]
    if (!table.take(Number(order))) return [0, Outcome.late]
    const fullUntil = Number(database.hget(slots, "#full") ?? 0)
    table.put(key, have)
    database.hset(slots, "#limit", limit)
    if (now - epochOf(database, epoch) < Number(lease)) return [0, Outcome.forgotten]

    database.zremrangebyscore(waiting, now - patience)
    const ahead = database.zrank(waiting, machine) ?? database.zcard(waiting)
    const mayAsk = now >= fullUntil && database.scard(open) === 0
    if (limit - table.count(key)[1] <= ahead) table.reclaim(key, mayAsk)
    const free = limit - table.count(key)[1]
    if (free > ahead) {
      const count = Math.min(Math.max(want, Math.floor((free - ahead) / part)), free - ahead)
      table.put(key, have + count)
      database.zrem(waiting, machine)
      if (count === free && database.scard(open) === 0 && database.zcard(waiting) > 0) {
        table.refuse(key, channels, full)
      } else if (count < free) {
        const [after] = database.zrange(waiting)
        if (after !== undefined) database.publish(`${channels}${after}`, `free ${key}`)
      }
      return [count, Outcome.granted]
    }
    if (now < fullUntil) return [0, Outcome.full]
    if (mayAsk) {
      const round = database.hincrby(slots, "#round", 1)
      const others = table.others(key)
      for (const holder of others) {
        database.sadd(open, holder)
        database.publish(`${channels}${holder}`, `recall ${round} ${key}`)
      }
      if (others.length === 0 && free <= 0) return [0, Outcome.full]
      database.pexpire(open, patience)
    }
    database.zaddNew(waiting, machine, now)
    database.pexpire(waiting, patience)
    return [0, Outcome.waiting]
  }
}
