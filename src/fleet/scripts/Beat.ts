/**
 * The sign of life of a machine, and the number of machines.
 */

import type { Keys } from "../Keys.ts"
import * as Replies from "../Replies.ts"
import { clock, type Script } from "../Script.ts"

/** The keys of the table of machines. */
export const keys = (keys: Keys): readonly [ends: string, told: string] => [
  keys.ofBucket("machines", 0),
  keys.ofBucket("told", 0)
]

/**
 * KEYS: the times at which machines are gone, and what they tell of themselves. ARGV: the machine, what it tells, and for
 * how many milliseconds it counts; 0 when it leaves. The reply is the number of machines, the
 * store's time, and 1 if the machine was known before.
 */
export const Beat: Script<readonly [count: number, now: number, known: number]> = {
  name: "beat",
  isReply: Replies.tuple([Replies.integer, Replies.integer, Replies.integer]),
  lua: `${clock}
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)
for _, machine in ipairs(gone) do redis.call('HDEL', KEYS[2], machine) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local known = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0
local life = tonumber(ARGV[3])
if life > 0 then
  redis.call('ZADD', KEYS[1], now + life, ARGV[1])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
end
return { redis.call('ZCARD', KEYS[1]), now, known }`,
  run: (database, [ends = "", told = ""], [machine = "", text = "", life = "0"]) => {
    const now = database.now()
    for (const gone of database.zrange(ends, now)) database.hdel(told, gone)
    database.zremrangebyscore(ends, now)
    const known = database.zscore(ends, machine) === undefined ? 0 : 1
    if (Number(life) > 0) {
      database.zadd(ends, machine, now + Number(life))
      database.hset(told, machine, text)
    } else {
      database.zrem(ends, machine)
      database.hdel(told, machine)
    }
    return [database.zcard(ends), now, known]
  }
}
