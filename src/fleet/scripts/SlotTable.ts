/**
 * The slots of a counted limit in the store: what the scripts about them have in common.
 *
 * A limit has four keys. `slots` is a hash: how many each machine holds, with the number of the order that said so, and
 * `#total` and `#limit`. `ends` says until when each machine holds them without a renewal. `waiting` has the machines
 * that wait for slots, the first one first. `open` has the machines that have not answered the recall under way.
 */
import type { MemoryDatabase } from "../MemoryDatabase.ts"

/** For a script, behind the clock. */
export const lua = `
local function parsed(text)
  if not text then return 0, 0 end
  local count, order = string.match(text, '^(%d+) (%d+)$')
  return tonumber(count), tonumber(order)
end

local function holding(slots, machine)
  return parsed(redis.call('HGET', slots, machine))
end

-- Takes back what machines have not renewed.
local function reclaim(slots, ends)
  local gone = redis.call('ZRANGEBYSCORE', ends, '-inf', now)
  if #gone == 0 then return end
  for _, machine in ipairs(gone) do
    local count = holding(slots, machine)
    redis.call('HINCRBY', slots, '#total', 0 - count)
    redis.call('HDEL', slots, machine)
  end
  redis.call('ZREMRANGEBYSCORE', ends, '-inf', now)
end

local function put(slots, ends, machine, before, count, order, lease)
  if count ~= before then redis.call('HINCRBY', slots, '#total', count - before) end
  if count == 0 then
    redis.call('HDEL', slots, machine)
    redis.call('ZREM', ends, machine)
  else
    redis.call('HSET', slots, machine, string.format('%d %d', count, order))
    redis.call('ZADD', ends, now + lease, machine)
  end
  redis.call('PEXPIRE', slots, 2 * lease)
  redis.call('PEXPIRE', ends, 2 * lease)
end

local function hold(slots, ends, machine, count, order, lease)
  put(slots, ends, machine, holding(slots, machine), count, order, lease)
end

local function total(slots)
  return tonumber(redis.call('HGET', slots, '#total') or 0)
end

-- Tells the machines that wait that all slots are in use, and says so for a while to all that ask.
local function refuse(slots, waiting, key, channels, full)
  redis.call('HSET', slots, '#full', now + full)
  for _, machine in ipairs(redis.call('ZRANGE', waiting, 0, -1)) do
    redis.call('PUBLISH', channels .. machine, 'full ' .. key)
  end
  redis.call('DEL', waiting)
end
`

/** The same on a database in memory. */
export class SlotTable {
  private readonly database: MemoryDatabase
  private readonly slots: string
  private readonly ends: string
  private readonly now: number

  constructor(database: MemoryDatabase, slots: string, ends: string) {
    this.database = database
    this.slots = slots
    this.ends = ends
    this.now = database.now()
  }

  holding(machine: string): readonly [count: number, order: number] {
    const [count = "0", order = "0"] = this.database.hget(this.slots, machine)?.split(" ") ?? []
    return [Number(count), Number(order)]
  }

  reclaim(): void {
    for (const machine of this.database.zrange(this.ends, this.now)) {
      this.database.hincrby(this.slots, "#total", -this.holding(machine)[0])
      this.database.hdel(this.slots, machine)
    }
    this.database.zremrangebyscore(this.ends, this.now)
  }

  hold(machine: string, count: number, order: number, lease: number): void {
    const [before] = this.holding(machine)
    if (count !== before) this.database.hincrby(this.slots, "#total", count - before)
    if (count === 0) {
      this.database.hdel(this.slots, machine)
      this.database.zrem(this.ends, machine)
    } else {
      this.database.hset(this.slots, machine, `${count} ${order}`)
      this.database.zadd(this.ends, machine, this.now + lease)
    }
    this.database.pexpire(this.slots, 2 * lease)
    this.database.pexpire(this.ends, 2 * lease)
  }

  total(): number {
    return Number(this.database.hget(this.slots, "#total") ?? 0)
  }

  refuse(waiting: string, key: string, channels: string, full: number): void {
    this.database.hset(this.slots, "#full", this.now + full)
    for (const machine of this.database.zrange(waiting)) {
      this.database.publish(`${channels}${machine}`, `full ${key}`)
    }
    this.database.del(waiting)
  }
}
