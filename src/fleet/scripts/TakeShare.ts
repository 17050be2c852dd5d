/**
 * The share of a limited rate that a machine may use, by its demand. Shares are millionths of the rate.
 *
 * The shares of all machines never add up to more than the rate: a machine gets more only of what is left, and less
 * counts only when the machine says, at its next call, that it uses less.
 */
import { clock, type Script } from "../Script.ts"
import { epochLua, epochOf } from "./Begin.ts"

/** The whole rate. A store that has forgotten what machines use gives each no more than an equal part at first. */
export const whole = 1_000_000

/** Machines that are told of a change at once. Where there are more, each learns of it at its next call. */
const told = 64

/**
 * KEYS: epoch, shares, ends. ARGV: the machine; the name of the limit; what channels of machines begin with; the number
 * of the order; the weight of the machine's demand, 0 when it leaves; the share that it uses; the milliseconds for which
 * it counts; the number of machines. The reply is the share that it may use; -1 if a later order was there before.
 *
 * `shares` is a hash: share, weight and order of each machine, `#share` and `#weight` of all.
 */
export const TakeShare: Script<number> = {
  name: "take-share",
  lua: `${clock}${epochLua}
local shares, ends = KEYS[2], KEYS[3]
local machine, name, channels, order = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local weight, using, lease, machines = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

local function part(of)
  local text = redis.call('HGET', shares, of)
  if not text then return 0, 0, 0 end
  local share, weight, order = string.match(text, '^(%d+) (%d+) (%d+)$')
  return tonumber(share), tonumber(weight), tonumber(order)
end

local _, _, last = part(machine)
if last > order then return -1 end
local gone = redis.call('ZRANGEBYSCORE', ends, '-inf', now)
gone[#gone + 1] = machine
local before = part(machine)
for _, one in ipairs(gone) do
  local share, weight = part(one)
  redis.call('HINCRBY', shares, '#share', 0 - share)
  redis.call('HINCRBY', shares, '#weight', 0 - weight)
  redis.call('HDEL', shares, one)
  redis.call('ZREM', ends, one)
end
local others = tonumber(redis.call('HGET', shares, '#share') or 0)
local all = tonumber(redis.call('HGET', shares, '#weight') or 0) + weight
local target, share = 0, using
if weight > 0 then
  target = math.floor(${whole} * weight / all)
  if now - epoch(KEYS[1]) < lease then target = math.min(target, math.floor(${whole} / machines)) end
  if target > using then
    share = using + math.max(math.min(target - using, ${whole} - others - using), 0)
  end
  redis.call('HSET', shares, machine, string.format('%d %d %d', share, weight, order))
  redis.call('HINCRBY', shares, '#share', share)
  redis.call('HINCRBY', shares, '#weight', weight)
  redis.call('ZADD', ends, now + lease, machine)
end
if (weight > 0 and share == 0) or using < before then
  local holders = redis.call('ZRANGE', ends, 0, -1)
  if #holders <= ${told} then
    for _, holder in ipairs(holders) do
      if holder ~= machine then redis.call('PUBLISH', channels .. holder, 'share ' .. name) end
    end
  end
end
redis.call('PEXPIRE', shares, 2 * lease)
redis.call('PEXPIRE', ends, 2 * lease)
return weight > 0 and math.min(share, math.max(target, 0)) or 0`,
  run: (database, keys, args) => {
    const [epoch, shares, ends] = keys as [string, string, string]
    const [machine, name, channels] = args as [string, string, string]
    const [order, weight, using, lease, machines] = args.slice(3).map(Number) as [
      ...[number, number, number],
      ...[number, number]
    ]
    const now = database.now()
    const part = (of: string) => {
      const [share = 0, weight = 0, order = 0] = database.hget(shares, of)?.split(" ").map(Number) ?? []
      return { share, weight, order }
    }
    if (part(machine).order > order) return -1
    const before = part(machine).share
    for (const one of [...database.zrange(ends, now), machine]) {
      const { share, weight } = part(one)
      database.hincrby(shares, "#share", -share)
      database.hincrby(shares, "#weight", -weight)
      database.hdel(shares, one)
      database.zrem(ends, one)
    }
    const others = Number(database.hget(shares, "#share") ?? 0)
    const all = Number(database.hget(shares, "#weight") ?? 0) + weight
    const fair = weight > 0 ? Math.floor((whole * weight) / all) : 0
    const isNew = weight > 0 && now - epochOf(database, epoch) < lease
    const target = isNew ? Math.min(fair, Math.floor(whole / machines)) : fair
    let share = using
    if (weight > 0) {
      if (target > using) {
        share = using + Math.max(Math.min(target - using, whole - others - using), 0)
      }
      database.hset(shares, machine, `${share} ${weight} ${order}`)
      database.hincrby(shares, "#share", share)
      database.hincrby(shares, "#weight", weight)
      database.zadd(ends, machine, now + lease)
    }
    if ((weight > 0 && share === 0) || using < before) {
      const holders = database.zrange(ends)
      if (holders.length <= told) {
        for (const holder of holders) {
          if (holder !== machine) database.publish(`${channels}${holder}`, `share ${name}`)
        }
      }
    }
    database.pexpire(shares, 2 * lease)
    database.pexpire(ends, 2 * lease)
    return weight > 0 ? Math.min(share, target) : 0
  }
}
