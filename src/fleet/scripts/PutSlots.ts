/**
 * Says how many slots a machine holds of several limits: renews its leases, gives slots back, and answers recalls.
 */
import { clock, type Script } from "../Script.ts"
import { lua, SlotTable } from "./SlotTable.ts"

/**
 * KEYS: slots, ends, waiting, open of each limit, all of one bucket. ARGV: the machine; what channels of machines begin
 * with; the number of the order; the milliseconds of a lease, of a recall, and for which a refusal holds; and then of
 * each limit the number of slots, the recall that is answered or 0, and the key of the limit.
 *
 * Renewals are most of what the store does, so this looks at others' leases, and at those that wait, only if there is
 * reason to. What is not renewed elsewhere counts until then.
 *
 * The reply has a number for each limit: how many slots are leased beyond the limit; -1 if a later order was there before.
 */
export const PutSlots: Script<ReadonlyArray<number>> = {
  name: "put-slots",
  lua: `${clock}${lua}
local machine, channels, order = ARGV[1], ARGV[2], tonumber(ARGV[3])
local lease, patience, full = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local reply = {}
for index = 1, #KEYS / 4 do
  local first = 4 * (index - 1)
  local slots, ends, waiting, open = KEYS[first + 1], KEYS[first + 2], KEYS[first + 3], KEYS[first + 4]
  local at = 6 + 3 * (index - 1)
  local count, round, key = tonumber(ARGV[at + 1]), ARGV[at + 2], ARGV[at + 3]
  local known = redis.call('HMGET', slots, machine, '#total', '#limit', '#round')
  local before, last = parsed(known[1])
  if last > order then
    reply[index] = -1
  else
    local all, limit = tonumber(known[2] or 0), tonumber(known[3] or 0)
    local isWaited = redis.call('EXISTS', waiting) == 1
    if isWaited or all - before + count > limit then
      reclaim(slots, ends)
      before, all = holding(slots, machine), total(slots)
    end
    put(slots, ends, machine, before, count, order, lease)
    if round ~= '0' and known[4] == round then redis.call('SREM', open, machine) end
    local free = limit - all + before - count
    reply[index] = math.max(-free, 0)
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
      refuse(slots, waiting, key, channels, full)
    end
  end
end
return reply`,
  run: (database, keys, args) => {
    const [machine, channels] = args as [string, string]
    const [order, lease, patience, full] = args.slice(2, 6).map(Number) as [number, number, number, number]
    const now = database.now()
    return Array.from({ length: keys.length / 4 }, (_, index) => {
      const [slots, ends, waiting, open] = keys.slice(4 * index) as [string, string, string, string]
      const [count, round, key] = args.slice(6 + 3 * index) as [string, string, string]
      const table = new SlotTable(database, slots, ends)
      const [before, last] = table.holding(machine)
      if (last > order) return -1
      const limit = Number(database.hget(slots, "#limit") ?? 0)
      if (database.zcard(waiting) > 0 || table.total() - before + Number(count) > limit) table.reclaim()
      table.hold(machine, Number(count), order, lease)
      if (round !== "0" && database.hget(slots, "#round") === round) database.srem(open, machine)
      const free = limit - table.total()
      database.zremrangebyscore(waiting, now - patience)
      const waiters = database.zrange(waiting)
      if (waiters.length > 0 && free > 0) {
        for (const waiter of waiters.slice(0, free)) database.publish(`${channels}${waiter}`, `free ${key}`)
      } else if (waiters.length > 0 && database.scard(open) === 0) {
        table.refuse(waiting, key, channels, full)
      }
      return Math.max(-free, 0)
    })
  }
}
