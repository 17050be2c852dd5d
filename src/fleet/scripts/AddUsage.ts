/**
 * The usage of an account, of all machines together.
 */
import type { Script } from "../Script.ts"

/** How long the usage of an account is kept after its last use: longer than a month and its day. */
const life = 75 * 86_400_000

/**
 * Adds what a machine has counted, unless it was added before: the answer to a call can be lost.
 *
 * KEYS: the usage of the account. ARGV: the run of a server, and the number of its batch; the present day, the first day of
 * its month, and the first day that is kept; the day and month to begin with where the store has nothing of this month;
 * the day and month that the store has told before, which it may have forgotten; and then the rows of the batch, each a
 * day, the first day of its month, and a number of bytes.
 * The reply is the usage of the day and of the month.
 */
export const AddUsage: Script<readonly [day: number, month: number]> = {
  name: "addUsage",
  lua: `
local key = KEYS[1]
local day, month = 'd:' .. ARGV[3], 'm:' .. ARGV[4]
local function raise(field, least)
  if tonumber(least) > tonumber(redis.call('HGET', key, field) or 0) then redis.call('HSET', key, field, least) end
end
if redis.call('HEXISTS', key, month) == 0 then
  raise(month, ARGV[7])
  raise(day, ARGV[6])
end
raise(month, ARGV[9])
raise(day, ARGV[8])
local number = string.match(redis.call('HGET', key, 'w:' .. ARGV[1]) or '0', '^%d+')
if tonumber(number) < tonumber(ARGV[2]) then
  if redis.call('HEXISTS', key, day) == 0 then
    for _, field in ipairs(redis.call('HKEYS', key)) do
      local kind = string.sub(field, 1, 2)
      if kind == 'w:' then
        if string.sub(redis.call('HGET', key, field), -10) < ARGV[5] then redis.call('HDEL', key, field) end
      elseif string.sub(field, 3) < ARGV[5] then
        redis.call('HDEL', key, field)
      end
    end
  end
  for index = 10, #ARGV, 3 do
    redis.call('HINCRBY', key, 'd:' .. ARGV[index], ARGV[index + 2])
    redis.call('HINCRBY', key, 'm:' .. ARGV[index + 1], ARGV[index + 2])
  end
  redis.call('HSET', key, 'w:' .. ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
end
redis.call('PEXPIRE', key, ${life})
return { tonumber(redis.call('HGET', key, day) or 0), tonumber(redis.call('HGET', key, month) or 0) }`,
  run: (database, [key = ""], args) => {
    const [run = "", number = "", today = "", monthStart = "", oldest = "", ...rest] = args
    const [seedDay = "0", seedMonth = "0", floorDay = "0", floorMonth = "0", ...rows] = rest
    const [day, month] = [`d:${today}`, `m:${monthStart}`]
    const of = (field: string) => Number(database.hget(key, field) ?? 0)
    const raise = (field: string, least: string) => {
      if (Number(least) > of(field)) database.hset(key, field, least)
    }
    if (database.hget(key, month) === undefined) {
      raise(month, seedMonth)
      raise(day, seedDay)
    }
    raise(month, floorMonth)
    raise(day, floorDay)
    const [known = "0"] = database.hget(key, `w:${run}`)?.split(" ") ?? []
    if (Number(known) < Number(number)) {
      if (database.hget(key, day) === undefined) {
        for (const [field, value] of [...database.hgetall(key)]) {
          const on = field.startsWith("w:") ? value.slice(-10) : field.slice(2)
          if (on < oldest) database.hdel(key, field)
        }
      }
      for (let index = 0; index + 2 < rows.length; index += 3) {
        database.hincrby(key, `d:${rows[index]}`, Number(rows[index + 2]))
        database.hincrby(key, `m:${rows[index + 1]}`, Number(rows[index + 2]))
      }
      database.hset(key, `w:${run}`, `${number} ${today}`)
    }
    database.pexpire(key, life)
    return [of(day), of(month)]
  }
}
