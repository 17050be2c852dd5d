/**
 * The usage of accounts, of all machines together.
 */
import * as Replies from "../Replies.ts"
import type { Script } from "../Script.ts"

/** How long the usage of an account is kept after its last day: longer than a month and its day. */
const life = 75 * 86_400_000

/**
 * Adds what a machine has counted, unless it was added before: the answer to a call can be lost.
 *
 * KEYS: the usage of each account, all of one bucket. ARGV: the run of a server, and the number of its batch; the present
 * day, the first day of its month, and the first day that is kept; and then of each account the day and month to begin with
 * where the store has nothing of this month, the day and month that the store has told before, which it may have forgotten,
 * and the number of its rows, which follow: each a day, the first day of its month, and a number of bytes.
 * The reply is the usage of the day and of the month, of each account.
 */
export const AddUsage: Script<ReadonlyArray<readonly [day: number, month: number]>> = {
  name: "addUsage",
  isReply: Replies.listOf(Replies.tuple([Replies.integer, Replies.integer])),
  lua: `
local run, sequence, today, monthStart, oldest = 'w:' .. ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local day, month = 'd:' .. today, 'm:' .. monthStart

local function forgetOld(key)
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local on = string.sub(field, 3)
    if string.sub(field, 1, 2) == 'w:' then on = string.sub(redis.call('HGET', key, field), -10) end
    if on < oldest then redis.call('HDEL', key, field) end
  end
end

-- What is no number counts as nothing, until machines tell what they know.
local function number(text)
  local value = tonumber(text or 0)
  if value and value >= 0 then return math.min(value, ${Number.MAX_SAFE_INTEGER}) end
  return 0
end

local reply, at = {}, 6
for index, key in ipairs(KEYS) do
  local known = redis.call('HMGET', key, day, month, run)
  local ofDay, ofMonth = number(known[1]), number(known[2])
  if not known[2] then ofDay, ofMonth = math.max(ofDay, tonumber(ARGV[at])), math.max(ofMonth, tonumber(ARGV[at + 1])) end
  ofDay, ofMonth = math.max(ofDay, tonumber(ARGV[at + 2])), math.max(ofMonth, tonumber(ARGV[at + 3]))
  local first = at + 5
  at = first + 3 * tonumber(ARGV[at + 4])
  local isNew = at > first and number(string.match(known[3] or '', '^%d+')) < sequence
  if isNew then
    if ofDay == 0 then forgetOld(key) end
    for row = first, at - 1, 3 do
      if ARGV[row] == today then ofDay = ofDay + tonumber(ARGV[row + 2])
      else redis.call('HINCRBY', key, 'd:' .. ARGV[row], ARGV[row + 2]) end
      if ARGV[row + 1] == monthStart then ofMonth = ofMonth + tonumber(ARGV[row + 2])
      else redis.call('HINCRBY', key, 'm:' .. ARGV[row + 1], ARGV[row + 2]) end
    end
  end
  if ofDay > number(known[1]) or ofMonth > number(known[2]) then
    redis.call('HSET', key, day, ofDay, month, ofMonth)
  end
  if isNew then redis.call('HSET', key, run, ARGV[2] .. ' ' .. today) end
  if not known[1] then redis.call('PEXPIRE', key, ${life}) end
  reply[index] = { number(ofDay), number(ofMonth) }
end
return reply`,
  run: (database, keys, args) => {
    const [run = "", number = "", today = "", monthStart = "", oldest = ""] = args
    const [day, month] = [`d:${today}`, `m:${monthStart}`]
    let at = 5
    return keys.map((key) => {
      const known = [day, month].map((field) => database.hget(key, field))
      const [seedDay = 0, seedMonth = 0, floorDay = 0, floorMonth = 0, count = 0] = args
        .slice(at, at + 5)
        .map(Number)
      const rows = args.slice(at + 5, at + 5 + 3 * count)
      at += 5 + 3 * count
      const [kept = 0, keptMonth = 0] = known.map((text) => Number(text ?? 0))
      const isBegun = known[1] !== undefined
      let ofDay = Math.max(kept, isBegun ? 0 : seedDay, floorDay)
      let ofMonth = Math.max(keptMonth, isBegun ? 0 : seedMonth, floorMonth)
      const [last = "0"] = database.hget(key, `w:${run}`)?.split(" ") ?? []
      const isNew = count > 0 && Number(last) < Number(number)
      if (isNew) {
        if (ofDay === 0) {
          for (const [field, value] of [...database.hgetall(key)]) {
            const on = field.startsWith("w:") ? value.slice(-10) : field.slice(2)
            if (on < oldest) database.hdel(key, field)
          }
        }
        for (let index = 0; index < rows.length; index += 3) {
          const bytes = Number(rows[index + 2])
          if (rows[index] === today) ofDay += bytes
          else database.hincrby(key, `d:${rows[index]}`, bytes)
          if (rows[index + 1] === monthStart) ofMonth += bytes
          else database.hincrby(key, `m:${rows[index + 1]}`, bytes)
        }
      }
      if (ofDay > kept || ofMonth > keptMonth) {
        database.hset(key, day, ofDay)
        database.hset(key, month, ofMonth)
      }
      if (isNew) database.hset(key, `w:${run}`, `${number} ${today}`)
      if (known[0] === undefined) database.pexpire(key, life)
      return [ofDay, ofMonth]
    })
  }
}
