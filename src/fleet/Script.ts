/**
 * A script that the fleet's store runs as a whole, with nothing in between: in Lua for Redis, and the same in
 * TypeScript for the store in memory. A test runs both on the same histories.
 */
import type { MemoryDatabase } from "./MemoryDatabase.ts"
import type { Shape } from "./Replies.ts"

export interface Script<out Reply> {
  readonly name: string
  /** KEYS and ARGV as Redis gives them; its clock is the only one. A number -0 would be no integer to Redis. */
  readonly lua: string
  /** Whether a reply is one. */
  readonly isReply: Shape
  /** The same, on a database in memory. */
  readonly run: (database: MemoryDatabase, keys: ReadonlyArray<string>, args: ReadonlyArray<string>) => Reply
}

/** The time of the store, in milliseconds since the epoch, as the local `now`. */
export const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`
