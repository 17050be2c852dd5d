/**
 * The guesses of networks in the store: how many different ones each network has made, on all machines together.
 *
 * A network has a hash with its last guesses, so that each counts once, and their number as `#count`; the wider networks around it
 * have the number only. Strangers choose the networks, so a set has the names of all, and there is a fixed number of them. When there
 * is no room for another one, those with the fewest guesses of some networks by chance are forgotten, as in `base/Tallies`: a flood of
 * networks does not displace those with many guesses, and each machine counts what it sees itself, too.
 */
import type { MemoryDatabase } from "../MemoryDatabase.ts"

/** The most networks, the most guesses of a network that are told apart, and the highest number. */
export const most = { networks: 8192, guesses: 32, count: 1_000_000 }

/** Number of networks by chance, and of those that are forgotten of them. */
const drawn = 32
const dropped = 8

/** For a script. KEYS[1] is what the names of the keys begin with. */
export const lua = `
local networks = KEYS[1] .. ':guesses'

local function guessesOf(network) return networks .. ':' .. network end

-- What is no number was written by no machine.
local function countOf(network)
  local count = tonumber(redis.call('HGET', guessesOf(network), '#count'))
  if count and count >= 0 then return math.min(count, ${most.count}) end
  return 0
end

local function forgetGuesses(network)
  redis.call('DEL', guessesOf(network))
  redis.call('SREM', networks, network)
end

local function makeRoom()
  if redis.call('SCARD', networks) < ${most.networks} then return end
  local counted = {}
  for index, network in ipairs(redis.call('SRANDMEMBER', networks, ${drawn})) do
    counted[index] = { network, countOf(network) }
  end
  table.sort(counted, function(one, other) return one[2] < other[2] end)
  for index = 1, ${dropped} do forgetGuesses(counted[index][1]) end
end

-- Counts a guess for a network and the wider ones around it. Returns their numbers.
local function guessed(guess, window, around)
  local own = guessesOf(around[1])
  local isNew = redis.call('HEXISTS', own, guess) == 0
  local counts = {}
  for place, network in ipairs(around) do
    local key = guessesOf(network)
    counts[place] = countOf(network)
    if isNew then
      if redis.call('SISMEMBER', networks, network) == 0 then
        makeRoom()
        redis.call('SADD', networks, network)
      end
      counts[place] = counts[place] + 1
      redis.call('HSET', key, '#count', counts[place])
    end
    redis.call('PEXPIRE', key, window)
  end
  if isNew then
    redis.call('HSET', own, guess, '')
    if redis.call('HLEN', own) > ${most.guesses + 1} then
      for _, field in ipairs(redis.call('HKEYS', own)) do
        if field ~= '#count' then
          redis.call('HDEL', own, field)
          break
        end
      end
    end
  end
  return counts
end

-- Takes back the guesses of a network that begin with this account, also from the wider networks around it.
local function forgive(account, around)
  local own = guessesOf(around[1])
  local returned = 0
  for _, guess in ipairs(redis.call('HKEYS', own)) do
    if guess ~= '#count' and string.sub(guess, 1, #account) == account then
      redis.call('HDEL', own, guess)
      returned = returned + 1
    end
  end
  if returned == 0 then return end
  for _, network in ipairs(around) do
    local left = countOf(network) - returned
    if left > 0 then redis.call('HSET', guessesOf(network), '#count', left) else forgetGuesses(network) end
  end
end
`

/** The same on a database in memory. */
export class GuessTable {
  private readonly database: MemoryDatabase
  private readonly networks: string

  constructor(database: MemoryDatabase, base: string) {
    this.database = database
    this.networks = `${base}:guesses`
  }

  guessed(guess: string, window: number, around: ReadonlyArray<string>): ReadonlyArray<number> {
    const { database, networks } = this
    const own = this.guessesOf(around[0]!)
    const isNew = database.hget(own, guess) === undefined
    const counts = around.map((network) => {
      const key = this.guessesOf(network)
      const count = this.countOf(network) + (isNew ? 1 : 0)
      if (isNew) {
        if (!database.sismember(networks, network)) {
          this.makeRoom()
          database.sadd(networks, network)
        }
        database.hset(key, "#count", count)
      }
      database.pexpire(key, window)
      return count
    })
    if (isNew) {
      database.hset(own, guess, "")
      const guesses = this.guessesIn(own)
      if (guesses.length > most.guesses) database.hdel(own, guesses[0]!)
    }
    return counts
  }

  forgive(account: string, around: ReadonlyArray<string>): void {
    const own = this.guessesOf(around[0]!)
    const returned = this.guessesIn(own).filter((guess) => guess.startsWith(account))
    for (const guess of returned) this.database.hdel(own, guess)
    if (returned.length === 0) return
    for (const network of around) {
      const left = this.countOf(network) - returned.length
      if (left > 0) this.database.hset(this.guessesOf(network), "#count", left)
      else this.forget(network)
    }
  }

  forget(network: string): void {
    this.database.del(this.guessesOf(network))
    this.database.srem(this.networks, network)
  }

  private makeRoom(): void {
    const { database, networks } = this
    if (database.scard(networks) < most.networks) return
    const counted = database
      .srandmember(networks, drawn)
      .map((network) => ({ network, count: this.countOf(network) }))
      .sort((one, other) => one.count - other.count)
    for (const { network } of counted.slice(0, dropped)) this.forget(network)
  }

  private guessesOf(network: string): string {
    return `${this.networks}:${network}`
  }

  private guessesIn(key: string): ReadonlyArray<string> {
    return [...this.database.hgetall(key).keys()].filter((field) => field !== "#count")
  }

  private countOf(network: string): number {
    const count = Number(this.database.hget(this.guessesOf(network), "#count") ?? 0)
    return count >= 0 ? Math.min(count, most.count) : 0
  }
}
