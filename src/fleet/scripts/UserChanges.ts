/**
 * The last changes of users, in their order, for machines that were away.
 */
import * as Replies from "../Replies.ts"
import type { Script } from "../Script.ts"

/** The most changes that are kept. */
const most = 1000

/**
 * Adds a change, and publishes that there is one. KEYS: the log. ARGV: the change, a random text that names the log where
 * it is new, and the channel. The reply is the number of the change.
 */
export const AddUserChange: Script<number> = {
  name: "addUserChange",
  isReply: Replies.integer,
  lua: `
redis.call('HSETNX', KEYS[1], 'id', ARGV[2])
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], version, ARGV[1])
redis.call('HDEL', KEYS[1], version - ${most})
redis.call('PUBLISH', ARGV[3], version)
return version`,
  run: (database, [log = ""], [change = "", random = "", channel = ""]) => {
    if (database.hget(log, "id") === undefined) database.hset(log, "id", random)
    const version = database.hincrby(log, "version", 1)
    database.hset(log, String(version), change)
    database.hdel(log, String(version - most))
    database.publish(channel, String(version))
    return version
  }
}

/**
 * KEYS as above. ARGV: a random text that names the log where it is new, the name of the log that the machine knows, and the
 * number of the last change that the machine has made. The reply is the name of the log, the number of its last change, and
 * the changes since, empty texts for those that are no longer kept.
 */
export const ListUserChanges: Script<readonly [id: string, version: number, changes: ReadonlyArray<string>]> =
  {
    name: "listUserChanges",
    isReply: Replies.tuple([Replies.text, Replies.integer, Replies.listOf(Replies.text)]),
    lua: `
redis.call('HSETNX', KEYS[1], 'id', ARGV[1])
local id = redis.call('HGET', KEYS[1], 'id')
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or 0)
local since = 0
if id == ARGV[2] then since = tonumber(ARGV[3]) end
local changes = {}
for number = math.max(since, version - ${most}) + 1, version do
  changes[#changes + 1] = redis.call('HGET', KEYS[1], number) or ''
end
return { id, version, changes }`,
    run: (database, [log = ""], [random = "", known = "", made = "0"]) => {
      if (database.hget(log, "id") === undefined) database.hset(log, "id", random)
      const id = database.hget(log, "id") ?? ""
      const version = Number(database.hget(log, "version") ?? 0)
      const since = id === known ? Number(made) : 0
      const changes: Array<string> = []
      for (let number = Math.max(since, version - most) + 1; number <= version; number++) {
        changes.push(database.hget(log, String(number)) ?? "")
      }
      return [id, version, changes]
    }
  }
