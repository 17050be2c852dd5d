/**
 * Decisions on bans: the failed logins so far, and the bans that they led to. Of
 * several processes one decides. It sends its updates to the others, each of which
 * keeps a replica for look-ups.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as ClientNetwork from "../base/ClientNetwork.ts"
import type { Digest, KeyedHash } from "../base/KeyedHash.ts"
import * as BanList from "./BanList.ts"
import { banOf, networkOf, type Outcome, ofBan, type Update } from "./BanUpdate.ts"
import type { Pair } from "./KnownPairs.ts"
import * as LoginThrottle from "./LoginThrottle.ts"
import type { BanSettings } from "./Settings.ts"

export type { Update } from "./BanUpdate.ts"

/** Known (user, network) pairs, in the form in which a file has them. */
export interface KnownPairsFile {
  readonly key: string
  readonly known: ReadonlyArray<Omit<Pair, "guess" | "failures">>
}

/** Decisions of this process. `tell` gets every update. */
export const make = (hashes: KeyedHash["Service"], tell?: (update: Update) => void): BanDecisions =>
  new BanDecisions(hashes, tell)

/** This machine is never banned: its users have other means than guessing, and tunnels end here. */
export const isHere = (address: NetAddress.IpAddress): boolean =>
  NetAddress.isLoopback(NetAddress.toCanonical(address))

/** Times are milliseconds since the epoch. */
export class BanDecisions {
  /** Number of connections refused because of a ban; of a member, those that it has not reported yet. */
  turnedAway = 0
  private readonly bans = BanList.make()
  private readonly failures = LoginThrottle.make()
  private readonly hashes: KeyedHash["Service"]
  private readonly tell: ((update: Update) => void) | undefined
  /** The settings of the last failed login. */
  private settings: BanSettings["Service"] | undefined
  private key: string
  private hash: Digest

  constructor(hashes: KeyedHash["Service"], tell?: (update: Update) => void) {
    this.hashes = hashes
    this.tell = tell
    this.key = hashes.newKey()
    this.hash = hashes.make(this.key)
  }

  /** The keyed hash of the names and passwords of attempts. */
  digest(...parts: ReadonlyArray<Uint8Array>): string {
    return this.hash(...parts)
  }

  /** The ban that holds for this address. */
  find(address: NetAddress.IpAddress, now: number): BanList.Ban | undefined {
    return this.bans.find(address, now)
  }

  isTooSoon(attempt: LoginThrottle.Attempt): boolean {
    return this.failures.isTooSoon(attempt)
  }

  isExempt(attempt: LoginThrottle.Attempt): boolean {
    return this.failures.isExempt(attempt)
  }

  wasRightBefore(attempt: LoginThrottle.Attempt): boolean {
    return this.failures.wasRightBefore(attempt)
  }

  /** Whether any user is known from the network of this address. */
  hasKnown(address: NetAddress.IpAddress, now: number): boolean {
    return this.failures.known.hasAny(ClientNetwork.nameOf(address), now)
  }

  succeeded(attempt: LoginThrottle.Attempt): void {
    this.count("succeeded", attempt)
  }

  /** Counts an attempt that did not succeed, which may lead to a ban. Completes when the decision is made. */
  failed(
    outcome: Exclude<Outcome, "succeeded">,
    address: NetAddress.IpAddress,
    attempt: LoginThrottle.Attempt,
    settings: BanSettings["Service"]
  ): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.settings = settings
      return logged(this.punish(this.count(outcome, attempt), address, attempt.now, settings))
    })
  }

  /**
   * Takes the numbers of failures that several machines have counted together, of the network of an attempt and of the
   * wider ones, which may lead to a ban.
   */
  summed(attempt: LoginThrottle.Attempt, counts: ReadonlyArray<number>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { settings } = this
      if (settings === undefined) return Effect.void
      for (const entry of this.failures.raise(attempt, counts)) this.tell?.({ _tag: "tally", entry })
      return logged(this.punish(counts, networkOf(attempt.network).address, attempt.now, settings))
    })
  }

  ban(ban: BanList.Ban): void {
    this.putBan(ban)
  }

  lift(network: IpNetwork.IpNetwork, now: number): ReadonlyArray<BanList.Ban> {
    return this.removeBans(network, now)
  }

  list(now: number): ReadonlyArray<BanList.Ban> {
    return this.bans.list(now)
  }

  /** A number that changes whenever `list` may have changed, other than by a ban that ends. */
  revision(): number {
    return this.bans.revision()
  }

  knownPairs(): KnownPairsFile {
    const known = this.failures.known.entries()
    return { key: this.key, known: known.map(({ account, network, at }) => ({ account, network, at })) }
  }

  /** A number that changes whenever `knownPairs` may have changed. */
  knownPairsRevision(): number {
    return this.failures.known.revision()
  }

  /** Begins with pairs of an earlier run. To be called before anything else. */
  restoreKnownPairs({ key, known }: KnownPairsFile): void {
    this.setKey(key)
    for (const pair of known) this.putPair({ ...pair, failures: 0 })
  }

  /** The networks with failed logins that are not forgotten. */
  suspects(now: number, window: number): ReturnType<LoginThrottle.LoginThrottle["list"]> {
    return this.failures.list(now, window)
  }

  /** Applies an update of another process. Calls no method that a replica overrides. */
  follow(update: Update): void {
    switch (update._tag) {
      case "guess":
        this.count(update.outcome, update)
        break
      case "key":
        this.setKey(update.key)
        break
      case "known": {
        const { account, network, at, guess, failures } = update
        this.putPair({ account, network, at, guess, failures })
        break
      }
      case "tally":
        this.failures.put(update.entry)
        break
      case "ban": {
        const ban = banOf(update)
        if (BanList.isForGuessing(ban)) this.failures.clear(update.network)
        this.putBan(ban)
        break
      }
      case "lift":
        this.removeBans(networkOf(update.network), update.now)
    }
  }

  /** The updates that make a new replica equal to this. */
  all(): ReadonlyArray<Update> {
    return [
      { _tag: "key" as const, key: this.key },
      // Bans first: a ban clears the tallies of its network.
      ...this.bans.all().map(ofBan),
      ...this.failures.known.entries().map((pair) => ({ _tag: "known" as const, ...pair })),
      ...this.failures.entries().map((entry) => ({ _tag: "tally" as const, entry }))
    ]
  }

  /** Bans a network around the address whose failures are too many. */
  private punish(
    counts: ReadonlyArray<number>,
    address: NetAddress.IpAddress,
    now: number,
    { banAfter, banTime }: BanSettings["Service"]
  ): BanList.Ban | undefined {
    if (banAfter === "off" || isHere(address)) return undefined
    const level = counts.findIndex((count, index) => count >= banAfter * LoginThrottle.scales[index]!)
    // Attempts that were checked at the same time as the one that led to the ban change nothing.
    if (level === -1 || this.bans.find(address, now)) return undefined
    const network = ClientNetwork.around(address)[level]!
    const ban = this.bans.punish(network, counts[level]!, now, Duration.toMillis(banTime))
    this.failures.clear(IpNetwork.format(network))
    this.tell?.(ofBan(ban))
    return ban
  }

  private count(outcome: Outcome, attempt: LoginThrottle.Attempt): ReadonlyArray<number> {
    this.tell?.({ _tag: "guess", outcome, ...attempt })
    if (outcome !== "succeeded") return this.failures[outcome](attempt)
    this.failures.succeeded(attempt)
    return []
  }

  private setKey(key: string): void {
    this.key = key
    this.hash = this.hashes.make(key)
    this.tell?.({ _tag: "key", key })
  }

  private putPair(pair: Pair): void {
    this.failures.known.put(pair)
    this.tell?.({ _tag: "known", ...pair })
  }

  private putBan(ban: BanList.Ban): void {
    this.bans.set(ban)
    this.tell?.(ofBan(ban))
  }

  private removeBans(network: IpNetwork.IpNetwork, now: number): ReadonlyArray<BanList.Ban> {
    this.tell?.({ _tag: "lift", network: IpNetwork.format(network), now })
    return this.bans.lift(network, now)
  }
}

/** The line about a ban that was made. */
const logged = (ban: BanList.Ban | undefined): Effect.Effect<void> =>
  ban === undefined
    ? Effect.void
    : Effect.logWarning("banned", {
        network: IpNetwork.format(ban.network),
        until: new Date(ban.until).toISOString(),
        failures: ban.failures
      })
