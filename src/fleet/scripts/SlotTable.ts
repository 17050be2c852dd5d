/**
 * The slots of counted limits in the store: what the scripts about them have in common.
 *
 * A machine has one lease for all that it has in a bucket, so that one small call renews it, however many limits there
 * are. `ends` says until when each machine has its lease. `held:MACHINE` is a hash with the limits of which the machine
 * has slots; `#order` is the number of its last order, and `#since` that of the order with which the lease began: with
 * another lease the machine has to tell anew what it has, as the store may have taken back or forgotten some of it.
 *
 * A limit has three keys. `of:LIMIT` is a hash: how many slots each machine has, and `#total` and `#limit`. `waiting` has
 * the machines that wait for slots, the first one first. `open` has the machines that have not answered the recall under
 * way.
 *
 * Machines tell all of a bucket regularly. What nobody tells any more is gone by itself. `over` is there while more slots
 * of some limit of the bucket are leased than there are, as the store had forgotten some or a limit is lower now: then
 * machines tell all with each renewal, and learn of which limits they have too much.
 */
import type { MemoryDatabase } from "../MemoryDatabase.ts"

/** Leases after which the store forgets what no machine has told again, and a limit of which nobody has a slot. */
const kept = 20
const keptFree = 2

/** The most slots of limits that are taken back at once from machines that are gone. */
const most = 500

/**
 * For a script, behind the clock. The first of KEYS is what the names of all keys begin with; ARGV begins with the machine
 * and the milliseconds of a lease.
 */
export const lua = `
local base = KEYS[1]
local machine, lease = ARGV[1], tonumber(ARGV[2])
local ends, over, held = base .. ':ends', base .. ':over', base .. ':held:' .. machine

local function slotsOf(key) return base .. ':of:' .. key end

local function keep()
  redis.call('PEXPIRE', held, ${kept} * lease)
  redis.call('PEXPIRE', ends, ${kept} * lease)
end

-- Renews the lease of the machine. Where there is none, one begins with this order.
local function renew(order, since)
  redis.call('ZADD', ends, now + lease, machine)
  if since then return tonumber(since) end
  redis.call('HSET', held, '#since', order)
  keep()
  return order
end

-- Takes an order of the machine and renews its lease, unless a later order was there before.
local function take(order)
  local known = redis.call('HMGET', held, '#order', '#since')
  if known[1] and tonumber(known[1]) > order then return false end
  redis.call('HSET', held, '#order', order)
  renew(order, known[2])
  return true
end

local function put(key, before, count, total)
  local slots = slotsOf(key)
  total = total - before + count
  if count == 0 then
    redis.call('HDEL', slots, machine)
    redis.call('HDEL', held, key)
    redis.call('HSET', slots, '#total', total)
  else
    redis.call('HSET', slots, machine, count, '#total', total)
    redis.call('HSET', held, key, '')
  end
  redis.call('PEXPIRE', slots, (total > 0 and ${kept} or ${keptFree}) * lease)
end

local function gone(most)
  return redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, most)
end

-- Takes back what a machine that is gone has of a limit. Its lease is over with that.
local function takeBack(one, key)
  local slots = slotsOf(key)
  local count = redis.call('HGET', slots, one)
  redis.call('HDEL', base .. ':held:' .. one, '#since', key)
  if count then
    redis.call('HDEL', slots, one)
    redis.call('HINCRBY', slots, '#total', 0 - count)
  end
end

-- Takes back what machines have of a limit that are gone. Thoroughly: also where the store has forgotten that they had a lease.
local function reclaim(key, isThorough)
  for _, one in ipairs(gone(-1)) do takeBack(one, key) end
  if not isThorough then return end
  for _, one in ipairs(redis.call('HKEYS', slotsOf(key))) do
    if string.sub(one, 1, 1) ~= '#' and not redis.call('ZSCORE', ends, one) then takeBack(one, key) end
  end
end

-- Takes back what machines have that are gone; of many a part.
local function sweep()
  local left = ${most}
  for _, one in ipairs(gone(10)) do
    local all = base .. ':held:' .. one
    redis.call('HDEL', all, '#since', '#order')
    for _, key in ipairs(redis.call('HKEYS', all)) do
      if left == 0 then return end
      left = left - 1
      takeBack(one, key)
    end
    redis.call('ZREM', ends, one)
  end
end

-- Tells the machines that wait that all slots are in use, and says so for a while to all that ask.
local function refuse(key, waiting, channels, full)
  redis.call('HSET', slotsOf(key), '#full', now + full)
  for _, one in ipairs(redis.call('ZRANGE', waiting, 0, -1)) do
    redis.call('PUBLISH', channels .. one, 'full ' .. key)
  end
  redis.call('DEL', waiting)
end
`

/** The same on a database in memory. */
export class SlotTable {
  private readonly database: MemoryDatabase
  private readonly base: string
  private readonly machine: string
  private readonly lease: number
  readonly over: string
  private readonly ends: string
  private readonly held: string
  private readonly now: number

  constructor(database: MemoryDatabase, base: string, machine: string, lease: number) {
    this.database = database
    this.base = base
    this.machine = machine
    this.lease = lease
    this.ends = `${base}:ends`
    this.over = `${base}:over`
    this.held = `${base}:held:${machine}`
    this.now = database.now()
  }

  slotsOf(key: string): string {
    return `${this.base}:of:${key}`
  }

  waitingFor(key: string): string {
    return `${this.base}:waiting:${key}`
  }

  openOf(key: string): string {
    return `${this.base}:open:${key}`
  }

  /** Renews the lease of the machine. Where there is none, one begins with this order. Returns with which it has begun. */
  renew(order: number): number {
    this.database.zadd(this.ends, this.machine, this.now + this.lease)
    const since = this.database.hget(this.held, "#since")
    if (since !== undefined) return Number(since)
    this.database.hset(this.held, "#since", order)
    this.keep()
    return order
  }

  keep(): void {
    this.database.pexpire(this.held, kept * this.lease)
    this.database.pexpire(this.ends, kept * this.lease)
  }

  /** Takes an order of the machine and renews its lease. Returns false if a later order was there before. */
  take(order: number): boolean {
    if (Number(this.database.hget(this.held, "#order") ?? 0) > order) return false
    this.database.hset(this.held, "#order", order)
    this.renew(order)
    return true
  }

  /** The slots of the machine, and those of all. */
  count(key: string): readonly [own: number, total: number] {
    const slots = this.slotsOf(key)
    return [
      Number(this.database.hget(slots, this.machine) ?? 0),
      Number(this.database.hget(slots, "#total") ?? 0)
    ]
  }

  put(key: string, count: number): void {
    const slots = this.slotsOf(key)
    const [before, all] = this.count(key)
    const total = all - before + count
    if (count === 0) {
      this.database.hdel(slots, this.machine)
      this.database.hdel(this.held, key)
    } else {
      this.database.hset(slots, this.machine, count)
      this.database.hset(this.held, key, "")
    }
    this.database.hset(slots, "#total", total)
    this.database.pexpire(slots, (total > 0 ? kept : keptFree) * this.lease)
  }

  /** The limits of which the machine has slots. */
  limits(): ReadonlyArray<string> {
    return [...this.database.hgetall(this.held).keys()].filter(
      (field) => field !== "#since" && field !== "#order"
    )
  }

  /** The machines that have slots of a limit, but this one. */
  others(key: string): ReadonlyArray<string> {
    return [...this.database.hgetall(this.slotsOf(key)).keys()].filter(
      (field) => !field.startsWith("#") && field !== this.machine
    )
  }

  private takeBack(one: string, key: string): void {
    const slots = this.slotsOf(key)
    const count = this.database.hget(slots, one)
    for (const field of ["#since", key]) this.database.hdel(`${this.base}:held:${one}`, field)
    if (count === undefined) return
    this.database.hdel(slots, one)
    this.database.hincrby(slots, "#total", -Number(count))
  }

  reclaim(key: string, isThorough = false): void {
    for (const one of this.database.zrange(this.ends, this.now)) this.takeBack(one, key)
    if (!isThorough) return
    for (const one of this.others(key)) {
      if (this.database.zscore(this.ends, one) === undefined) this.takeBack(one, key)
    }
  }

  sweep(): void {
    let left = most
    for (const one of this.database.zrange(this.ends, this.now).slice(0, 10)) {
      const held = `${this.base}:held:${one}`
      for (const field of ["#since", "#order"]) this.database.hdel(held, field)
      for (const key of [...this.database.hgetall(held).keys()]) {
        if (left-- === 0) return
        this.takeBack(one, key)
      }
      this.database.zrem(this.ends, one)
    }
  }

  refuse(key: string, channels: string, full: number): void {
    const waiting = this.waitingFor(key)
    this.database.hset(this.slotsOf(key), "#full", this.now + full)
    for (const one of this.database.zrange(waiting)) this.database.publish(`${channels}${one}`, `full ${key}`)
    this.database.del(waiting)
  }
}
