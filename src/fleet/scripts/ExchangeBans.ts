/**
 * Bans and failed logins of all machines. All of their keys are in one bucket.
 */
import * as Replies from "../Replies.ts"
import { clock, type Script } from "../Script.ts"

/** What a machine has to tell. Lists have a bounded length each. */
export interface BanBatch {
  /**
   * Networks to ban, for how many milliseconds, why, and for how many failures. A ban that the store has forgotten is no
   * new one, and is not made where the store knows that it was lifted.
   */
  readonly bans: ReadonlyArray<readonly [...ban: StoredBan, isNew: 0 | 1]>
  /** The networks of bans to lift. */
  readonly lifted: ReadonlyArray<string>
  /** A guess: its keyed hash, behind that of its account, and the networks that it counts for. */
  readonly guesses: ReadonlyArray<readonly [guess: string, window: number, networks: ReadonlyArray<string>]>
  /** Accounts whose guesses no longer count for these networks, as the right login has come from there. */
  readonly forgiven: ReadonlyArray<readonly [account: string, networks: ReadonlyArray<string>]>
  /** Known pairs, as one text each, with the time of the login in milliseconds since the epoch. */
  readonly known: ReadonlyArray<readonly [pair: string, at: number]>
}

/** A ban, as the store has it: for how many milliseconds from now on, why, and for how many failures. */
export type StoredBan = readonly [network: string, time: number, reason: string, failures: number]

/** How long a lifted ban is remembered, for machines that were away: 30 days. */
const memory = 30 * 86_400_000

/** The most guesses of a network, bans, lifted bans and known pairs. */
const most = { guesses: 512, bans: 32_768, known: 32_768 }

/** How long a pair is known after a login: seven days. */
const trusted = 7 * 86_400_000

/**
 * Takes a batch, and publishes what others have to know.
 *
 * KEYS: the bans, when they end, the lifted ones, the revision, and the known pairs; the first is the beginning of the
 * keys of guesses, too. ARGV: the batch, a random text, the channel, and the news to publish there.
 * The reply is the revision of the bans before and after, and the number of guesses for each network of `guesses`.
 */
export const ExchangeBans: Script<
  readonly [before: string, after: string, counts: ReadonlyArray<ReadonlyArray<number>>]
> = {
  name: "exchangeBans",
  isReply: Replies.tuple([Replies.text, Replies.text, Replies.listOf(Replies.listOf(Replies.integer))]),
  lua: `${clock}
local batch = cjson.decode(ARGV[1])
for _, row in ipairs(batch.forgiven) do
  for _, network in ipairs(row[2]) do
    local key = KEYS[1] .. ':guesses:' .. network
    for _, guess in ipairs(redis.call('SMEMBERS', key)) do
      if string.sub(guess, 1, #row[1]) == row[1] then redis.call('SREM', key, guess) end
    end
  end
end
local counts = {}
for index, row in ipairs(batch.guesses) do
  counts[index] = {}
  for place, network in ipairs(row[3]) do
    local key = KEYS[1] .. ':guesses:' .. network
    if redis.call('SCARD', key) < ${most.guesses} then redis.call('SADD', key, row[1]) end
    redis.call('PEXPIRE', key, row[2])
    counts[index][place] = redis.call('SCARD', key)
  end
end
for _, row in ipairs(batch.known) do redis.call('ZADD', KEYS[5], row[2], row[1]) end
if #batch.known > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - ${trusted})
  redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -${most.known + 1})
end
local changes = #batch.lifted
for _, network in ipairs(batch.lifted) do
  redis.call('HDEL', KEYS[1], network)
  redis.call('ZREM', KEYS[2], network)
  redis.call('ZADD', KEYS[3], now, network)
end
for _, row in ipairs(batch.bans) do
  if row[5] == 1 or not redis.call('ZSCORE', KEYS[3], row[1]) then
    changes = changes + 1
    redis.call('HSET', KEYS[1], row[1], cjson.encode({ row[3], row[4] }))
    redis.call('ZADD', KEYS[2], now + row[2], row[1])
    redis.call('ZREM', KEYS[3], row[1])
    redis.call('DEL', KEYS[1] .. ':guesses:' .. row[1])
  end
end
local before = redis.call('HGET', KEYS[4], 'revision') or ''
local after = before
if changes > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ${memory})
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -${most.bans + 1})
  local ended = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)
  for _, network in ipairs(ended) do
    redis.call('HDEL', KEYS[1], network)
    redis.call('ZREM', KEYS[2], network)
  end
  local extra = redis.call('ZCARD', KEYS[2]) - ${most.bans}
  if extra > 0 then
    for _, network in ipairs(redis.call('ZRANGE', KEYS[2], 0, extra - 1)) do
      redis.call('HDEL', KEYS[1], network)
      redis.call('ZREM', KEYS[2], network)
    end
  end
  after = redis.call('HINCRBY', KEYS[4], 'count', 1) .. ':' .. ARGV[2]
  redis.call('HSET', KEYS[4], 'revision', after)
end
if ARGV[4] ~= '' then
  redis.call('PUBLISH', ARGV[3], '{"before":"' .. before .. '","after":"' .. after .. '",' .. ARGV[4] .. '}')
end
return { before, after, counts }`,
  run: (database, keys, [text = "", random = "", channel = "", news = ""]) => {
    const [bans = "", ends = "", lifted = "", revision = "", known = ""] = keys
    const now = database.now()
    const batch: BanBatch = JSON.parse(text)
    const guessesOf = (network: string) => `${bans}:guesses:${network}`
    for (const [account, networks] of batch.forgiven) {
      for (const key of networks.map(guessesOf)) {
        for (const guess of database.smembers(key)) if (guess.startsWith(account)) database.srem(key, guess)
      }
    }
    const counts = batch.guesses.map(([guess, window, networks]) =>
      networks.map((network) => {
        const key = guessesOf(network)
        if (database.scard(key) < most.guesses) database.sadd(key, guess)
        database.pexpire(key, window)
        return database.scard(key)
      })
    )
    for (const [pair, at] of batch.known) database.zadd(known, pair, at)
    if (batch.known.length > 0) {
      database.zremrangebyscore(known, now - trusted)
      trim(database.zrange(known), most.known, (pair) => database.zrem(known, pair))
    }
    const remove = (network: string) => {
      database.hdel(bans, network)
      database.zrem(ends, network)
    }
    for (const network of batch.lifted) {
      remove(network)
      database.zadd(lifted, network, now)
    }
    let changes = batch.lifted.length
    for (const [network, time, reason, failures, isNew] of batch.bans) {
      if (isNew === 0 && database.zscore(lifted, network) !== undefined) continue
      changes++
      database.hset(bans, network, JSON.stringify([reason, failures]))
      database.zadd(ends, network, now + time)
      database.zrem(lifted, network)
      database.del(guessesOf(network))
    }
    const before = database.hget(revision, "revision") ?? ""
    let after = before
    if (changes > 0) {
      database.zremrangebyscore(lifted, now - memory)
      trim(database.zrange(lifted), most.bans, (network) => database.zrem(lifted, network))
      for (const network of database.zrange(ends, now)) remove(network)
      trim(database.zrange(ends), most.bans, remove)
      after = `${database.hincrby(revision, "count", 1)}:${random}`
      database.hset(revision, "revision", after)
    }
    if (news !== "") database.publish(channel, `{"before":"${before}","after":"${after}",${news}}`)
    return [before, after, counts]
  }
}

/** Removes the first of too many. */
const trim = (all: ReadonlyArray<string>, most: number, remove: (one: string) => void): void => {
  for (const one of all.slice(0, Math.max(0, all.length - most))) remove(one)
}

/**
 * All bans. KEYS as above. The reply is the revision, the bans, and the networks whose bans were lifted.
 */
export const ListBans: Script<
  readonly [revision: string, bans: ReadonlyArray<StoredBan>, lifted: ReadonlyArray<string>]
> = {
  name: "listBans",
  isReply: Replies.tuple([
    Replies.text,
    Replies.listOf(Replies.tuple([Replies.text, Replies.integer, Replies.text, Replies.integer])),
    Replies.listOf(Replies.text)
  ]),
  lua: `${clock}
local bans = {}
local ends = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now, '+inf', 'WITHSCORES')
for index = 1, #ends, 2 do
  local told = redis.call('HGET', KEYS[1], ends[index])
  if told then
    local row = cjson.decode(told)
    bans[#bans + 1] = { ends[index], ends[index + 1] - now, row[1], row[2] }
  end
end
return {
  redis.call('HGET', KEYS[4], 'revision') or '',
  bans,
  redis.call('ZRANGE', KEYS[3], 0, -1)
}`,
  run: (database, [bans = "", ends = "", lifted = "", revision = ""]) => {
    const now = database.now()
    return [
      database.hget(revision, "revision") ?? "",
      database.zrange(ends).flatMap((network): ReadonlyArray<StoredBan> => {
        const told = database.hget(bans, network)
        const end = database.zscore(ends, network) ?? 0
        if (told === undefined || end <= now) return []
        const [reason, failures] = JSON.parse(told)
        return [[network, end - now, reason, failures]]
      }),
      database.zrange(lifted)
    ]
  }
}

/** The known pairs, with the times of their logins. KEYS as above. */
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
