/**
 * The usage of accounts, of all machines together.
 */
import * as Replies from "../Replies.ts"
import type { Script } from "../Script.ts"

/** How long the usage of an account is kept after its last day: longer than a month and its day. */
const life = 75 * 86_400_000

/** How long the last batch of a run is remembered: what is sent again later is of a month that is over. */
const memory = 35 * 86_400_000

/**
 * Adds what a machine has counted, unless it was added before: the answer to a call can be lost. A batch has one such call for each
 * bucket.
 *
 * KEYS: what is remembered of the run of a server, and then the usage of each account, all of one bucket. ARGV: the number of the
 * run's batch, or 0 for a call without rows; the present day, the first day of its month, and the first day that is kept; and then of
 * each account the day and month to begin with where the store has nothing of this month, the day and month that the store has told
 * before, which it may have forgotten, and the number of its rows, which follow: each a day, the first day of its month, and a number
 * of bytes. The reply is the usage of the day and of the month, of each account.
 */
export const AddUsage: Script<ReadonlyArray<readonly [day: number, month: number]>> = {
  name: "addUsage",
  isReply: Replies.listOf(Replies.tuple([Replies.integer, Replies.integer])),
  lua: `
local sequence, today, monthStart, oldest = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local day, month = 'd:' .. today, 'm:' .. monthStart

local function forgetOld(key)
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 3) < oldest then redis.call('HDEL', key, field) end
  end
end

-- What is no number counts as nothing, until machines tell what they know.
local function number(text)
  local value = tonumber(text or 0)
  if value and value >= 0 then return math.min(value, ${Number.MAX_SAFE_INTEGER}) end
  return 0
end

local function add(key, field, bytes)
  redis.call('HSET', key, field, number(number(redis.call('HGET', key, field)) + bytes))
end

-- All is read before anything is written, so that what cannot be read stops it as a whole.
local isNew = number(redis.call('HGET', KEYS[1], 'number')) < sequence
local known = {}
for index = 2, #KEYS do known[index] = redis.call('HMGET', KEYS[index], day, month) end
if isNew then
  redis.call('HSET', KEYS[1], 'number', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ${memory})
end

local reply, at = {}, 5
for index = 2, #KEYS do
  local key, before, monthBefore = KEYS[index], known[index][1], known[index][2]
  local ofDay, ofMonth = number(before), number(monthBefore)
  if not monthBefore then ofDay, ofMonth = math.max(ofDay, tonumber(ARGV[at])), math.max(ofMonth, tonumber(ARGV[at + 1])) end
  ofDay, ofMonth = math.max(ofDay, tonumber(ARGV[at + 2])), math.max(ofMonth, tonumber(ARGV[at + 3]))
  local first = at + 5
  at = first + 3 * tonumber(ARGV[at + 4])
  if isNew and at > first then
    if ofDay == 0 then forgetOld(key) end
    for row = first, at - 1, 3 do
      local bytes = tonumber(ARGV[row + 2])
      if ARGV[row] == today then ofDay = ofDay + bytes else add(key, 'd:' .. ARGV[row], bytes) end
      if ARGV[row + 1] == monthStart then ofMonth = ofMonth + bytes else add(key, 'm:' .. ARGV[row + 1], bytes) end
    end
  end
  if ofDay > number(before) or ofMonth > number(monthBefore) then
    redis.call('HSET', key, day, ofDay, month, ofMonth)
  end
  if not before then redis.call('PEXPIRE', key, ${life}) end
  reply[index - 1] = { number(ofDay), number(ofMonth) }
end
return reply`,
  run: (database, [batches = "", ...accounts], args) => {
    const [sequence = "0", today = "", monthStart = "", oldest = ""] = args
    const [day, month] = [`d:${today}`, `m:${monthStart}`]
    const isNew = Number(database.hget(batches, "number") ?? 0) < Number(sequence)
    if (isNew) {
      database.hset(batches, "number", sequence)
      database.pexpire(batches, memory)
    }
    let at = 4
    return accounts.map((key) => {
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
      if (isNew && count > 0) {
        if (ofDay === 0) {
          for (const field of [...database.hgetall(key).keys()]) {
            if (field.slice(2) < oldest) database.hdel(key, field)
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
      if (known[0] === undefined) database.pexpire(key, life)
      return [ofDay, ofMonth]
    })
  }
}
