/**
 * Says how many slots a machine has of several limits of a bucket: gives slots back, answers recalls, and tells anew what
 * the store may not know.
 */
import * as Replies from "../Replies.ts"
import { clock, type Script } from "../Script.ts"
import { epochLua, epochOf } from "./Begin.ts"
import { lua, SlotTable } from "./SlotTable.ts"

/**
 * KEYS: what the names of the bucket's keys begin with, and the epoch. ARGV: the machine; the milliseconds of a lease; the number of the
 * order; what channels of machines begin with; the milliseconds of a recall, and for which a refusal holds; and then of
 * each limit its key, the number of slots, the limit itself for a store that has forgotten it, or 0, and the recall that is
 * answered, or 0.
 *
 * What machines had that are gone counts until there is a reason to look: a machine that waits, or too many slots.
 *
 * The reply is for how many milliseconds the epoch has lasted, and a number for each limit: how many slots are leased beyond it;
 * -1 if a later order was there before. A store that was emptied a moment ago knows of little else, so a machine has to judge
 * the numbers by the epoch of the same moment.
 */
export const PutSlots: Script<readonly [age: number, beyond: ReadonlyArray<number>]> = {
  name: "put-slots",
  isReply: Replies.tuple([Replies.integer, Replies.listOf(Replies.integer)]),
  lua: `${clock}${epochLua}${lua}
local channels, patience, full = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local isTaken = take(tonumber(ARGV[3]))
keep()
local reply = {}
for at = 7, #ARGV, 4 do
  local key, count, round = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 3]
  local extra = -1
  if isTaken then
    local slots, waiting, open = slotsOf(key), base .. ':waiting:' .. key, base .. ':open:' .. key
    local known = redis.call('HMGET', slots, machine, '#total', '#limit', '#round')
    local before, all, limit = tonumber(known[1] or 0), tonumber(known[2] or 0), tonumber(known[3] or ARGV[at + 2])
    if not known[3] and limit > 0 then redis.call('HSET', slots, '#limit', limit) end
    local isWaited = redis.call('EXISTS', waiting) == 1
    if isWaited or all - before + count > limit then
      reclaim(key)
      all = tonumber(redis.call('HGET', slots, '#total') or 0)
    end
    put(key, before, count, all)
    if round ~= '0' and known[4] == round then redis.call('SREM', open, machine) end
    local free = limit - all + before - count
    extra = math.max(0 - free, 0)
    if extra > 0 then redis.call('HSET', over, 'is', 1) end
    if extra > 0 then redis.call('PEXPIRE', over, lease) end
    local waiters = {}
    if isWaited then
      redis.call('ZREMRANGEBYSCORE', waiting, '-inf', now - patience)
      waiters = redis.call('ZRANGE', waiting, 0, -1)
    end
    if #waiters > 0 and free > 0 then
      for place = 1, math.min(free, #waiters) do
        redis.call('PUBLISH', channels .. waiters[place], 'free ' .. key)
      end
    elseif #waiters > 0 and redis.call('SCARD', open) == 0 then
      refuse(key, waiting, channels, full)
    end
  end
  reply[#reply + 1] = extra
end
return { now - epoch(KEYS[2]), reply }`,
  run: (database, [base = "", epoch = ""], args) => {
    const [machine = "", lease = "0", order = "0", channels = "", ...rest] = args
    const [patience, full] = rest.map(Number) as [number, number]
    const now = database.now()
    const table = new SlotTable(database, base, machine, Number(lease))
    const isTaken = table.take(Number(order))
    table.keep()
    const beyond = Array.from({ length: (args.length - 6) / 4 }, (_, index) => {
      if (!isTaken) return -1
      const [key, count, known, round] = args.slice(6 + 4 * index) as [string, string, string, string]
      const [slots, waiting, open] = [table.slotsOf(key), table.waitingFor(key), table.openOf(key)]
      const limit = Number(database.hget(slots, "#limit") ?? known)
      if (limit > 0) database.hset(slots, "#limit", limit)
      const [before, all] = table.count(key)
      if (database.zcard(waiting) > 0 || all - before + Number(count) > limit) table.reclaim(key)
      table.put(key, Number(count))
      if (round !== "0" && database.hget(slots, "#round") === round) database.srem(open, machine)
      const free = limit - table.count(key)[1]
      if (free < 0) {
        database.hset(table.over, "is", 1)
        database.pexpire(table.over, Number(lease))
      }
      database.zremrangebyscore(waiting, now - patience)
      const waiters = database.zrange(waiting)
      if (waiters.length > 0 && free > 0) {
        for (const waiter of waiters.slice(0, free)) database.publish(`${channels}${waiter}`, `free ${key}`)
      } else if (waiters.length > 0 && database.scard(open) === 0) {
        table.refuse(key, channels, full)
      }
      return Math.max(-free, 0)
    })
    return [now - epochOf(database, epoch), beyond]
  }
}
