/**
 * Leases slots of a counted limit to a machine. Without a free slot the machines that hold some are asked for those
 * that they do not use, once for all that wait.
 */
import { clock, type Script } from "../Script.ts"
import { epochLua, epochOf } from "./Begin.ts"
import { lua, SlotTable } from "./SlotTable.ts"

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
 * KEYS: epoch, slots, ends, waiting, open. ARGV: the machine; the key of the limit; what channels of machines begin with;
 * the number of the order; how many slots the machine has, and how many it wants; the limit; the part of the free slots
 * that is leased at once; the milliseconds of a lease, of a recall, and for which a refusal holds.
 *
 * The machine says what it has, since the answer to an earlier request may have been lost.
 */
export const AcquireSlots: Script<readonly [count: number, outcome: number]> = {
  name: "acquire-slots",
  lua: `${clock}${epochLua}${lua}
local slots, ends, waiting, open = KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local machine, key, channels = ARGV[1], ARGV[2], ARGV[3]
local order, have, want, limit = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local part, lease, patience, full = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])

local _, last = holding(slots, machine)
if last > order then return { 0, 4 } end
reclaim(slots, ends)
hold(slots, ends, machine, have, order, lease)
redis.call('HSET', slots, '#limit', limit)
redis.call('PEXPIRE', slots, 2 * lease)
if now - epoch(KEYS[1]) < lease then return { 0, 3 } end

redis.call('ZREMRANGEBYSCORE', waiting, '-inf', now - patience)
local ahead = redis.call('ZRANK', waiting, machine) or redis.call('ZCARD', waiting)
local free = limit - total(slots)
if free > ahead then
  local count = math.min(math.max(want, math.floor((free - ahead) / part)), free - ahead)
  hold(slots, ends, machine, have + count, order, lease)
  redis.call('ZREM', waiting, machine)
  if count == free and redis.call('SCARD', open) == 0 and redis.call('ZCARD', waiting) > 0 then
    refuse(slots, waiting, key, channels, full)
  elseif count < free then
    local after = redis.call('ZRANGE', waiting, 0, 0)[1]
    if after then redis.call('PUBLISH', channels .. after, 'free ' .. key) end
  end
  return { count, 0 }
end
if now < tonumber(redis.call('HGET', slots, '#full') or 0) then return { 0, 2 } end
if redis.call('SCARD', open) == 0 then
  local round = redis.call('HINCRBY', slots, '#round', 1)
  local asked = 0
  for _, holder in ipairs(redis.call('ZRANGE', ends, 0, -1)) do
    if holder ~= machine then
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
  run: (database, keys, args) => {
    const [epoch, slots, ends, waiting, open] = keys as [string, string, string, string, string]
    const [machine, key, channels] = args as [string, string, string]
    const [order, have, want, limit, part, lease, patience, full] = args.slice(3).map(Number) as [
      ...[number, number, number, number],
      ...[number, number, number, number]
    ]
    const now = database.now()
    const table = new SlotTable(database, slots, ends)
    if (table.holding(machine)[1] > order) return [0, Outcome.late]
    table.reclaim()
    table.hold(machine, have, order, lease)
    database.hset(slots, "#limit", limit)
    database.pexpire(slots, 2 * lease)
    if (now - epochOf(database, epoch) < lease) return [0, Outcome.forgotten]

    database.zremrangebyscore(waiting, now - patience)
    const ahead = database.zrank(waiting, machine) ?? database.zcard(waiting)
    const free = limit - table.total()
    if (free > ahead) {
      const count = Math.min(Math.max(want, Math.floor((free - ahead) / part)), free - ahead)
      table.hold(machine, have + count, order, lease)
      database.zrem(waiting, machine)
      if (count === free && database.scard(open) === 0 && database.zcard(waiting) > 0) {
        table.refuse(waiting, key, channels, full)
      } else if (count < free) {
        const [after] = database.zrange(waiting)
        if (after !== undefined) database.publish(`${channels}${after}`, `free ${key}`)
      }
      return [count, Outcome.granted]
    }
    if (now < Number(database.hget(slots, "#full") ?? 0)) return [0, Outcome.full]
    if (database.scard(open) === 0) {
      const round = database.hincrby(slots, "#round", 1)
      const others = database.zrange(ends).filter((holder) => holder !== machine)
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
