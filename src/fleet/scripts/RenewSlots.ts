/**
 * Renews the lease of a machine for all that it has in a bucket.
 *
 * This is most of what the store does while nothing changes, so it says nothing of single limits. The store tells with
 * which order the lease began. If this is not what the machine knows, the lease is another one, and the store may have
 * taken back or forgotten what the machine has.
 */
import * as Replies from "../Replies.ts"
import { clock, type Script } from "../Script.ts"
import { epochLua, epochOf } from "./Begin.ts"
import { lua, SlotTable } from "./SlotTable.ts"

/**
 * KEYS: what the names of the bucket's keys begin with, and the epoch. ARGV: the machine; the milliseconds of a lease; the number of the
 * order; the order with which the lease began, as the machine knows it, or 0 to be told in any case.
 * The reply is with which order the lease began; and where the machine is to tell all, for how many milliseconds the epoch
 * has lasted, and the limits of which the store has slots for the machine.
 */
export const RenewSlots: Script<
  readonly [since: number] | readonly [since: number, age: number, limits: ReadonlyArray<string>]
> = {
  name: "renew-slots",
  isReply: Replies.tuple([Replies.integer, Replies.integer, Replies.listOf(Replies.text)], 1),
  // The rest is not even defined where nothing has changed, since that costs a quarter of it.
  lua: `${clock}
local known = redis.call('HGET', KEYS[1] .. ':held:' .. ARGV[1], '#since')
if known == ARGV[4] and redis.call('EXISTS', KEYS[1] .. ':over') == 0 then
  redis.call('ZADD', KEYS[1] .. ':ends', now + ARGV[2], ARGV[1])
  return { tonumber(known) }
end
${epochLua}${lua}
local since = renew(tonumber(ARGV[3]), known)
sweep()
local limits = {}
for _, key in ipairs(redis.call('HKEYS', held)) do
  if key ~= '#since' and key ~= '#order' then limits[#limits + 1] = key end
end
return { since, now - epoch(KEYS[2]), limits }`,
  run: (database, [base = "", epoch = ""], [machine = "", lease = "0", order = "0", known = "0"]) => {
    const table = new SlotTable(database, base, machine, Number(lease))
    const since = table.renew(Number(order))
    if (since === Number(known) && database.hget(table.over, "is") === undefined) return [since]
    table.sweep()
    return [since, database.now() - epochOf(database, epoch), table.limits()]
  }
}
