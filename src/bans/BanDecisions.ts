/**
 * The memory of password guessing: failed logins, and the bans that they led to.
 * Of several processes one decides. It sends its changes to the others, which keep
 * a replica for look-ups.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as ClientNetwork from "../base/ClientNetwork.ts"
import type { Digest, KeyedHash } from "../base/KeyedHash.ts"
import * as Parsers from "../config/Parsers.ts"
import * as BanList from "./BanList.ts"
import type { Pair } from "./KnownPairs.ts"
import * as LoginThrottle from "./LoginThrottle.ts"
import type { BanSettings } from "./Settings.ts"

/** What came of an attempt: it was not heard, or it had a wrong or the right password. */
type Outcome = "refused" | "failed" | "succeeded"

/** What others have to know, to have the same copy. */
export type Update =
  | ({ readonly _tag: "guess"; readonly outcome: Outcome } & LoginThrottle.Attempt)
  /** The key that names and passwords are hashed by; first of all. */
  | { readonly _tag: "key"; readonly key: string }
  | ({ readonly _tag: "known" } & Pair)
  | { readonly _tag: "tally"; readonly entry: LoginThrottle.Entry }
  | ({ readonly _tag: "ban"; readonly network: string } & Omit<BanList.Ban, "network">)
  | { readonly _tag: "lift"; readonly network: string; readonly now: number }

/** Known (user, network) pairs, in the form in which they are kept. */
export interface Kept {
  readonly key: string
  readonly known: ReadonlyArray<Omit<Pair, "guess" | "failures">>
}

export interface BanDecisions {
  /** The keyed hash that attempts have names and passwords by. */
  readonly digest: Digest
  /** The ban that this address is under. */
  readonly find: (address: NetAddress.IpAddress, now: number) => BanList.Ban | undefined
  readonly isTooSoon: LoginThrottle.LoginThrottle["isTooSoon"]
  readonly isWelcome: LoginThrottle.LoginThrottle["isWelcome"]
  readonly isRight: LoginThrottle.LoginThrottle["isRight"]
  /** Whether any user is known from the network of this address. */
  readonly hasKnown: (address: NetAddress.IpAddress, now: number) => boolean
  readonly succeeded: (attempt: LoginThrottle.Attempt) => void
  /** Counts one that did not, which may lead to a ban. */
  readonly failed: (
    outcome: Exclude<Outcome, "succeeded">,
    address: NetAddress.IpAddress,
    attempt: LoginThrottle.Attempt,
    settings: BanSettings["Service"]
  ) => Effect.Effect<void>
  readonly ban: (ban: BanList.Ban) => void
  readonly lift: (network: IpNetwork.IpNetwork, now: number) => ReadonlyArray<BanList.Ban>
  readonly list: (now: number) => ReadonlyArray<BanList.Ban>
  readonly revision: () => number
  readonly kept: () => Kept
  /** Another number whenever that may have changed. */
  readonly keptRevision: () => number
  /** Goes on with what was kept, before anything else is. */
  readonly restore: (kept: Kept) => void
  readonly suspects: LoginThrottle.LoginThrottle["list"]
  /** Connections turned away, since it was asked last. */
  turnedAway: number
}

/** One that is a copy of another. */
export interface Replicated extends BanDecisions {
  readonly follow: (news: Update) => void
  /** All that there is to be told of it. */
  readonly all: () => ReadonlyArray<Update>
}

/** One that decides for itself, and tells others. */
export const make = (hashes: KeyedHash["Service"], tell?: (news: Update) => void): Replicated => {
  const bans = BanList.make()
  const failures = LoginThrottle.make()
  const { known } = failures
  let key = hashes.newKey()
  let digest = hashes.make(key)

  const setKey = (next: string) => {
    key = next
    digest = hashes.make(next)
    tell?.({ _tag: "key", key })
  }

  const count = (outcome: Outcome, attempt: LoginThrottle.Attempt): ReadonlyArray<number> => {
    tell?.({ _tag: "guess", outcome, ...attempt })
    if (outcome === "succeeded") failures.succeeded(attempt)
    return outcome === "succeeded" ? [] : failures[outcome](attempt)
  }

  const know = (pair: Pair) => {
    known.put(pair)
    tell?.({ _tag: "known", ...pair })
  }

  const put = (ban: BanList.Ban) => {
    bans.set(ban)
    tell?.(written(ban))
  }

  const lift = (network: IpNetwork.IpNetwork, now: number) => {
    tell?.({ _tag: "lift", network: IpNetwork.format(network), now })
    return bans.lift(network, now)
  }

  return {
    digest: (...parts) => digest(...parts),
    find: bans.find,
    isTooSoon: failures.isTooSoon,
    isWelcome: failures.isWelcome,
    isRight: failures.isRight,
    hasKnown: (address, now) => known.hasAny(ClientNetwork.nameOf(address), now),
    kept: () => ({
      key,
      known: known.entries().map(({ account, network, at }) => ({ account, network, at }))
    }),
    keptRevision: known.revision,
    restore: ({ key, known }) => {
      setKey(key)
      for (const pair of known) know({ ...pair, failures: 0 })
    },
    succeeded: (attempt) => void count("succeeded", attempt),
    failed: (outcome, address, attempt, { banAfter, banTime }) =>
      Effect.suspend(() => {
        const { now } = attempt
        const counts = count(outcome, attempt)
        if (banAfter === "off" || isHere(address)) return Effect.void
        const level = counts.findIndex((count, index) => count >= banAfter * LoginThrottle.scales[index]!)
        // Those checked together with the one it is for change nothing.
        if (level === -1 || bans.find(address, now)) return Effect.void
        const network = ClientNetwork.around(address)[level]!
        const failed = counts[level]!
        const ban = bans.punish(network, failed, now, Duration.toMillis(banTime))
        failures.clear(IpNetwork.format(network))
        tell?.(written(ban))
        return Effect.logWarning("banned", {
          network: IpNetwork.format(network),
          until: new Date(ban.until).toISOString(),
          failures: failed
        })
      }),
    ban: put,
    lift,
    list: bans.list,
    revision: bans.revision,
    suspects: failures.list,
    turnedAway: 0,
    follow: (news) => {
      switch (news._tag) {
        case "guess":
          return void count(news.outcome, news)
        case "key":
          return setKey(news.key)
        case "known": {
          const { account, network, at, guess, failures } = news
          return know({ account, network, at, guess, failures })
        }
        case "tally":
          return failures.put(news.entry)
        case "ban": {
          const ban = read(news)
          if (ban.failures > 0) failures.clear(news.network)
          return put(ban)
        }
        case "lift":
          return void lift(networkOf(news.network), news.now)
      }
    },
    all: () => [
      { _tag: "key" as const, key },
      // First what would clear the others.
      ...bans.all().map(written),
      ...known.entries().map((pair) => ({ _tag: "known" as const, ...pair })),
      ...failures.entries().map((entry) => ({ _tag: "tally" as const, entry }))
    ]
  }
}

/** This machine is never banned: its users have other means than guessing, and tunnels end here. */
export const isHere = (address: NetAddress.IpAddress): boolean =>
  NetAddress.isLoopback(NetAddress.toCanonical(address))

const written = ({ network, until, reason, failures }: BanList.Ban): Update => ({
  _tag: "ban",
  network: IpNetwork.format(network),
  until,
  reason,
  failures
})

const read = ({
  network,
  until,
  reason,
  failures
}: Extract<Update, { readonly _tag: "ban" }>): BanList.Ban => ({
  network: networkOf(network),
  until,
  reason,
  failures
})

const networkOf = (text: string): IpNetwork.IpNetwork => Option.getOrThrow(Parsers.network(text))
