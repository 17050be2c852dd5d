/**
 * Leases tokens of a session rate to a machine. The bucket gets `limit` tokens a second, and has as many at once after a
 * second of rest.
 */
import * as Replies from "../Replies.ts"
import { clock, type Script } from "../Script.ts"
import { epochLua, epochOf } from "./Begin.ts"

/**
 * KEYS: epoch, bucket. ARGV: how many tokens are wanted; the limit. The reply is the number of tokens, and the milliseconds
 * until there is the next one.
 *
 * A bucket that the store does not know was full a second ago, or else is as empty as the store's memory: after the
 * store has forgotten, a bucket begins empty, and what an older copy of the store says of it does not count.
 */
export const TakeTokens: Script<readonly [count: number, wait: number]> = {
  name: "take-tokens",
  isReply: Replies.tuple([Replies.integer, Replies.integer]),
  lua: `${clock}${epochLua}
local want, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local known = redis.call('HMGET', KEYS[2], 'missing', 'at')
local missing, at = limit, epoch(KEYS[1])
if known[2] and tonumber(known[2]) >= at then missing, at = tonumber(known[1]), tonumber(known[2]) end
missing = math.max(math.min(missing, limit) - limit * math.max(now - at, 0) / 1000, 0)
-- What is no number is no token.
if missing ~= missing then missing = limit end
local count = math.max(math.min(want, math.floor(limit - missing + 1e-6)), 0)
missing = missing + count
redis.call('HSET', KEYS[2], 'missing', string.format('%.6f', missing), 'at', now)
redis.call('PEXPIRE', KEYS[2], 2000)
local wait = missing + 1 - limit
return { count, wait > 1e-6 and math.ceil(wait / limit * 1000 - 1e-6) or 0 }`,
  run: (database, [epoch = "", bucket = ""], args) => {
    const [want, limit] = args.map(Number) as [number, number]
    const now = database.now()
    let at = epochOf(database, epoch)
    let missing = limit
    const knownAt = Number(database.hget(bucket, "at") ?? Number.NEGATIVE_INFINITY)
    if (knownAt >= at) {
      at = knownAt
      missing = Number(database.hget(bucket, "missing"))
    }
    missing = Math.max(Math.min(missing, limit) - (limit * Math.max(now - at, 0)) / 1000, 0)
    if (Number.isNaN(missing)) missing = limit
    const count = Math.max(Math.min(want, Math.floor(limit - missing + 1e-6)), 0)
    missing += count
    database.hset(bucket, "missing", missing.toFixed(6))
    database.hset(bucket, "at", now)
    database.pexpire(bucket, 2000)
    const wait = missing + 1 - limit
    return [count, wait > 1e-6 ? Math.ceil((wait / limit) * 1000 - 1e-6) : 0]
  }
}
