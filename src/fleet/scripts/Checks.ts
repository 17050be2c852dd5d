/**
 * What the health checks of a fleet have found last, for machines that begin or were away.
 */
import * as Replies from "../Replies.ts"
import { clock, type Script } from "../Script.ts"

/** The most checks that are kept. Beyond that all are forgotten, and told again. */
const most = 4096

/** Milliseconds for which they are kept. */
const time = 3_600_000

/**
 * Keeps results, and publishes them. KEYS: the results. ARGV: the channel, the message, and for each check its name and
 * what was found.
 */
export const TellChecks: Script<number> = {
  name: "tellChecks",
  isReply: Replies.integer,
  lua: `${clock}
if redis.call('HLEN', KEYS[1]) > ${most} then redis.call('DEL', KEYS[1]) end
for index = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[index], string.format('%.0f', now) .. ' ' .. ARGV[index + 1])
end
redis.call('PEXPIRE', KEYS[1], ${time})
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1`,
  run: (database, [key = ""], [channel = "", message = "", ...results]) => {
    if (database.hgetall(key).size > most) database.del(key)
    for (let index = 0; index < results.length; index += 2) {
      database.hset(key, results[index]!, `${database.now()} ${results[index + 1]}`)
    }
    database.pexpire(key, time)
    database.publish(channel, message)
    return 1
  }
}

/** KEYS as above. The reply is the time of the store, and for each check its name, and the time and what was found. */
export const ListChecks: Script<readonly [now: number, results: ReadonlyArray<string>]> = {
  name: "listChecks",
  isReply: Replies.tuple([Replies.integer, Replies.listOf(Replies.text)]),
  lua: `${clock}
return { now, redis.call('HGETALL', KEYS[1]) }`,
  run: (database, [key = ""]) => [database.now(), [...database.hgetall(key)].flat()]
}
