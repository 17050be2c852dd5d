/**
 * The salt of the keyed hashes that the machines of a fleet send each other.
 */
import * as Replies from "../Replies.ts"
import type { Script } from "../Script.ts"

/** KEYS: where the salt is. ARGV: a random text, which becomes the salt where there is none. The reply is the salt. */
export const Salt: Script<string> = {
  name: "salt",
  isReply: Replies.text,
  lua: `
redis.call('HSETNX', KEYS[1], 'salt', ARGV[1])
return redis.call('HGET', KEYS[1], 'salt')`,
  run: (database, [key = ""], [random = ""]) => {
    const known = database.hget(key, "salt")
    if (known !== undefined) return known
    database.hset(key, "salt", random)
    return random
  }
}
