/**
 * Begins to work with the store on a new connection, for one bucket.
 *
 * The store may have forgotten: it was emptied, or another server took over, or it restarted from a file. All that is
 * left of leases then may be too little. So a new epoch begins, in which the store leases nothing until every machine
 * has either renewed its leases or lost them. The epoch says since when the store remembers everything.
 */
import * as Replies from "../Replies.ts"
import { clock, type Script } from "../Script.ts"

/**
 * KEYS: the epoch. ARGV: the run of the store's server, which is another one after each start and on each server.
 * The reply is for how many milliseconds the epoch has lasted.
 */
export const Begin: Script<number> = {
  name: "begin",
  isReply: Replies.integer,
  lua: `${clock}
local at = tonumber(redis.call('HGET', KEYS[1], 'at'))
if not at or not (at <= now) or redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then
  redis.call('HSET', KEYS[1], 'at', now, 'run', ARGV[1])
  return 0
end
return now - at`,
  run: (database, [epoch = ""], [run = ""]) => {
    const at = Number(database.hget(epoch, "at") ?? Number.NaN)
    if (!(at <= database.now()) || database.hget(epoch, "run") !== run) {
      database.hset(epoch, "at", database.now())
      database.hset(epoch, "run", run)
      return 0
    }
    return database.now() - at
  }
}

/** For a script: the start of the epoch, which begins now if the store is empty, or has a time that was not yet. */
export const epochLua = `
local function epoch(key)
  local at = tonumber(redis.call('HGET', key, 'at'))
  if at and at <= now then return at end
  redis.call('HSET', key, 'at', now)
  return now
end
`

export const epochOf = (database: Parameters<Script<unknown>["run"]>[0], key: string): number => {
  const at = Number(database.hget(key, "at") ?? Number.NaN)
  if (at <= database.now()) return at
  database.hset(key, "at", database.now())
  return database.now()
}
