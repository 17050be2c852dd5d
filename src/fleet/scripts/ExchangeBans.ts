/**
 * Bans and failed logins of all machines. All of their keys are in one bucket.
 *
 * The newest word on a network holds, a ban or a lifting, in whatever order words come: each comes with its age.
 */
import * as Replies from "../Replies.ts"
import { clock, type Script } from "../Script.ts"
import { GuessTable, lua } from "./GuessTable.ts"

/** What a machine has to tell. Lists have a bounded length each. */
export interface BanBatch {
  /** The time of the store when it was sent, as the machine knows it. Ages are those of that time. */
  readonly sentAt?: number | undefined
  readonly bans: ReadonlyArray<StoredBan>
  readonly lifted: ReadonlyArray<Lifting>
  /** A guess: its keyed hash, behind that of its account, and its network, with the wider ones that it counts for, too. */
  readonly guesses: ReadonlyArray<readonly [guess: string, window: number, networks: ReadonlyArray<string>]>
  /** Accounts whose guesses no longer count for these networks, as the right login has come from there. */
  readonly forgiven: ReadonlyArray<readonly [account: string, networks: ReadonlyArray<string>]>
  /** Known pairs, as one text each, with the time of the login in milliseconds since the epoch. */
  readonly known: ReadonlyArray<readonly [pair: string, at: number]>
}

/** A ban: for how many milliseconds from now on, why, for how many failures, and how many milliseconds ago it was made. */
export type StoredBan = readonly [
  network: string,
  time: number,
  reason: string,
  failures: number,
  age: number
]

/** A network whose ban was lifted so many milliseconds ago. */
export type Lifting = readonly [network: string, age: number]

/** How long a lifted ban is remembered, for machines that were away: 30 days. */
export const memory = 30 * 86_400_000

/** Milliseconds by which two times of the same may differ: clocks and messages take their time. */
export const tolerance = 2000

/** The most bans, words and known pairs. */
const most = { bans: 32_768, words: 65_536, known: 32_768 }

/** How long a pair is known after a login: seven days. */
const trusted = 7 * 86_400_000

/**
 * Takes a batch, and publishes what others have to know.
 *
 * KEYS: the bans, when they end, when the last word on each network was said, the revision, and the known pairs; the first
 * is the beginning of the keys of guesses, too. A network with a word and without a ban is one whose ban was lifted.
 * ARGV: the batch, a random text, the channel, and the news to publish there, unless a part of them is refused.
 * The reply is the revision of the bans before and after, the number of guesses for each network of `guesses`, and the
 * networks on which there is a newer word. Of a batch that was long on its way nothing is done, since its words would be taken
 * for newer than they are: then the reply is the revisions alone.
 */
export const ExchangeBans: Script<
  | readonly [before: string, after: string]
  | readonly [
      before: string,
      after: string,
      counts: ReadonlyArray<ReadonlyArray<number>>,
      refused: ReadonlyArray<string>
    ]
> = {
  name: "exchangeBans",
  isReply: Replies.tuple(
    [
      Replies.text,
      Replies.text,
      Replies.listOf(Replies.listOf(Replies.integer)),
      Replies.listOf(Replies.text)
    ],
    2
  ),
  lua: `${clock}${lua}
local batch = cjson.decode(ARGV[1])
local before = redis.call('HGET', KEYS[4], 'revision') or ''
if batch.sentAt and math.abs(now - batch.sentAt) > ${tolerance} then return { before, before } end
for _, row in ipairs(batch.forgiven) do forgive(row[1], row[2]) end
local counts = {}
for index, row in ipairs(batch.guesses) do counts[index] = guessed(row[1], row[2], row[3]) end
for _, row in ipairs(batch.known) do redis.call('ZADD', KEYS[5], row[2], row[1]) end
if #batch.known > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - ${trusted})
  redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -${most.known + 1})
end
local changes, refused = 0, {}
local function remove(network)
  redis.call('HDEL', KEYS[1], network)
  redis.call('ZREM', KEYS[2], network)
end
local function known(network)
  return tonumber(redis.call('ZSCORE', KEYS[3], network) or -math.huge), tonumber(redis.call('ZSCORE', KEYS[2], network) or 0)
end
for _, row in ipairs(batch.lifted) do
  local network, at = row[1], now - row[2]
  local last, ends = known(network)
  -- A lifting that is known is no news, and may be told by many.
  if ends > 0 or math.abs(at - last) >= ${tolerance} then
    if last > at then refused[#refused + 1] = network
    else
      changes = changes + 1
      remove(network)
      redis.call('ZADD', KEYS[3], at, network)
    end
  end
end
for _, row in ipairs(batch.bans) do
  local network, at = row[1], now - row[5]
  local last, ends = known(network)
  -- Nor is a ban.
  if math.abs(now + row[2] - ends) >= ${tolerance} then
    if last > at then refused[#refused + 1] = network
    else
      changes = changes + 1
      redis.call('HSET', KEYS[1], network, cjson.encode({ row[3], row[4] }))
      redis.call('ZADD', KEYS[2], now + row[2], network)
      redis.call('ZADD', KEYS[3], at, network)
      forgetGuesses(network)
    end
  end
end
local after = before
if changes > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ${memory})
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -${most.words + 1})
  local function forget(networks)
    for _, network in ipairs(networks) do
      remove(network)
      redis.call('ZREM', KEYS[3], network)
    end
  end
  forget(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now))
  local extra = redis.call('ZCARD', KEYS[2]) - ${most.bans}
  if extra > 0 then forget(redis.call('ZRANGE', KEYS[2], 0, extra - 1)) end
  after = redis.call('HINCRBY', KEYS[4], 'count', 1) .. ':' .. ARGV[2]
  redis.call('HSET', KEYS[4], 'revision', after)
end
if ARGV[4] ~= '' and #refused == 0 then
  redis.call('PUBLISH', ARGV[3], '{"before":"' .. before .. '","after":"' .. after .. '","at":' .. string.format('%.0f', now) .. ',' .. ARGV[4] .. '}')
end
return { before, after, counts, refused }`,
  run: (database, keys, [text = "", random = "", channel = "", news = ""]) => {
    const [bans = "", ends = "", words = "", revision = "", known = ""] = keys
    const now = database.now()
    const batch: BanBatch = JSON.parse(text)
    const before = database.hget(revision, "revision") ?? ""
    if (batch.sentAt !== undefined && Math.abs(now - batch.sentAt) > tolerance) return [before, before]
    const table = new GuessTable(database, bans)
    for (const [account, networks] of batch.forgiven) table.forgive(account, networks)
    const counts = batch.guesses.map(([guess, window, networks]) => table.guessed(guess, window, networks))
    for (const [pair, at] of batch.known) database.zadd(known, pair, at)
    if (batch.known.length > 0) {
      database.zremrangebyscore(known, now - trusted)
      trim(database.zrange(known), most.known, (pair) => database.zrem(known, pair))
    }
    const remove = (network: string) => {
      database.hdel(bans, network)
      database.zrem(ends, network)
    }
    let changes = 0
    const refused: Array<string> = []
    for (const [network, age] of batch.lifted) {
      const last = database.zscore(words, network) ?? -Infinity
      const isBanned = (database.zscore(ends, network) ?? 0) > 0
      if (!isBanned && Math.abs(now - age - last) < tolerance) continue
      if (last > now - age) refused.push(network)
      else {
        changes++
        remove(network)
        database.zadd(words, network, now - age)
      }
    }
    for (const [network, time, reason, failures, age] of batch.bans) {
      if (Math.abs(now + time - (database.zscore(ends, network) ?? 0)) < tolerance) continue
      if ((database.zscore(words, network) ?? -Infinity) > now - age) refused.push(network)
      else {
        changes++
        database.hset(bans, network, JSON.stringify([reason, failures]))
        database.zadd(ends, network, now + time)
        database.zadd(words, network, now - age)
        table.forget(network)
      }
    }
    let after = before
    if (changes > 0) {
      const forget = (network: string) => {
        remove(network)
        database.zrem(words, network)
      }
      database.zremrangebyscore(words, now - memory)
      trim(database.zrange(words), most.words, (network) => database.zrem(words, network))
      for (const network of database.zrange(ends, now)) forget(network)
      trim(database.zrange(ends), most.bans, forget)
      after = `${database.hincrby(revision, "count", 1)}:${random}`
      database.hset(revision, "revision", after)
    }
    if (news !== "" && refused.length === 0) {
      database.publish(channel, `{"before":"${before}","after":"${after}","at":${Math.floor(now)},${news}}`)
    }
    return [before, after, counts, refused]
  }
}

/** Removes the first of too many. */
const trim = (all: ReadonlyArray<string>, most: number, remove: (one: string) => void): void => {
  for (const one of all.slice(0, Math.max(0, all.length - most))) remove(one)
}
