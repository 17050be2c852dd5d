/**
 * The bans, the liftings and the known pairs that the store has, for a machine that begins or has missed some.
 */
import * as Replies from "../Replies.ts"
import { clock, type Script } from "../Script.ts"
import type { Lifting, StoredBan } from "./ExchangeBans.ts"

/**
 * All bans. KEYS as those of `ExchangeBans`. The reply is the revision, the bans, and the liftings.
 */
export const ListBans: Script<
  readonly [revision: string, bans: ReadonlyArray<StoredBan>, lifted: ReadonlyArray<Lifting>]
> = {
  name: "listBans",
  isReply: Replies.tuple([
    Replies.text,
    Replies.listOf(
      Replies.tuple([Replies.text, Replies.integer, Replies.text, Replies.integer, Replies.integer])
    ),
    Replies.listOf(Replies.tuple([Replies.text, Replies.integer]))
  ]),
  lua: `${clock}
local bans, lifted, ends = {}, {}, {}
local rows = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for index = 1, #rows, 2 do ends[rows[index]] = tonumber(rows[index + 1]) end
local words = redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES')
for index = 1, #words, 2 do
  local network, at = words[index], words[index + 1]
  if not ends[network] then lifted[#lifted + 1] = { network, now - at } end
end
for network, ending in pairs(ends) do
  local told = ending > now and redis.call('HGET', KEYS[1], network)
  if told then
    local row = cjson.decode(told)
    local at = redis.call('ZSCORE', KEYS[3], network) or 0
    bans[#bans + 1] = { network, ending - now, row[1], row[2], now - at }
  end
end
return { redis.call('HGET', KEYS[4], 'revision') or '', bans, lifted }`,
  run: (database, [bans = "", ends = "", words = "", revision = ""]) => {
    const now = database.now()
    return [
      database.hget(revision, "revision") ?? "",
      database.zrange(ends).flatMap((network): ReadonlyArray<StoredBan> => {
        const told = database.hget(bans, network)
        const end = database.zscore(ends, network) ?? 0
        if (told === undefined || end <= now) return []
        const [reason, failures] = JSON.parse(told)
        return [[network, end - now, reason, failures, now - (database.zscore(words, network) ?? 0)]]
      }),
      database
        .zrange(words)
        .filter((network) => database.zscore(ends, network) === undefined)
        .map((network) => [network, now - database.zscore(words, network)!])
    ]
  }
}

/** The known pairs, with the times of their logins. KEYS as those of `ExchangeBans`. */
export const ListKnown: Script<ReadonlyArray<string>> = {
  name: "listKnown",
  isReply: Replies.listOf(Replies.text),
  lua: `return redis.call('ZREVRANGE', KEYS[5], 0, 8191, 'WITHSCORES')`,
  run: (database, [, , , , known = ""]) =>
    database
      .zrange(known)
      .toReversed()
      .slice(0, 8192)
      .flatMap((pair) => [pair, String(database.zscore(known, pair))])
}
