/**
 * The machines of a fleet that have given a sign of life, and what they tell of themselves.
 */
import * as Replies from "../Replies.ts"
import { clock, type Script } from "../Script.ts"

/** KEYS as of `Beat`. The reply has the machines, what each tells, and for how many milliseconds it still counts. */
export const ListMachines: Script<ReadonlyArray<readonly [machine: string, told: string, left: number]>> = {
  name: "listMachines",
  isReply: Replies.listOf(Replies.tuple([Replies.text, Replies.text, Replies.integer])),
  lua: `${clock}
local machines = {}
local ends = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES')
for index = 1, #ends, 2 do
  machines[#machines + 1] = { ends[index], redis.call('HGET', KEYS[2], ends[index]) or '', ends[index + 1] - now }
end
return machines`,
  run: (database, [ends = "", told = ""]) => {
    const now = database.now()
    return database.zrange(ends).flatMap((machine): ReadonlyArray<readonly [string, string, number]> => {
      const left = (database.zscore(ends, machine) ?? now) - now
      return left > 0 ? [[machine, database.hget(told, machine) ?? "", left]] : []
    })
  }
}
