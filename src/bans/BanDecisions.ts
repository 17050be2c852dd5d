/**
 * Decisions on bans: the failed logins so far, and the bans that they led to. Of
 * several processes one decides. It sends its updates to the others, each of which
 * keeps a replica for look-ups.
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

/** The outcome of a login attempt: refused without a check of the password, a wrong password, or the right one. */
type Outcome = "refused" | "failed" | "succeeded"

/** A change, as it is sent to a replica. */
export type Update =
  | ({ readonly _tag: "guess"; readonly outcome: Outcome } & LoginThrottle.Attempt)
  /** The key of the hashes of names and passwords. The first update. */
  | { readonly _tag: "key"; readonly key: string }
  | ({ readonly _tag: "known" } & Pair)
  | { readonly _tag: "tally"; readonly entry: LoginThrottle.Entry }
  | ({ readonly _tag: "ban"; readonly network: string } & Omit<BanList.Ban, "network">)
  | { readonly _tag: "lift"; readonly network: string; readonly now: number }

/** Known (user, network) pairs, in the form in which a file has them. */
export interface KnownPairsFile {
  readonly key: string
  readonly known: ReadonlyArray<Omit<Pair, "guess" | "failures">>
}

export interface BanDecisions {
  /** The keyed hash of the names and passwords of attempts. */
  readonly digest: Digest
  /** The ban that holds for this address. Times are milliseconds since the epoch. */
  readonly find: (address: NetAddress.IpAddress, now: number) => BanList.Ban | undefined
  readonly isTooSoon: LoginThrottle.LoginThrottle["isTooSoon"]
  readonly isExempt: LoginThrottle.LoginThrottle["isExempt"]
  readonly wasRightBefore: LoginThrottle.LoginThrottle["wasRightBefore"]
  /** Whether any user is known from the network of this address. */
  readonly hasKnown: (address: NetAddress.IpAddress, now: number) => boolean
  readonly succeeded: (attempt: LoginThrottle.Attempt) => void
  /** Counts an attempt that did not succeed, which may lead to a ban. Completes when the decision is made. */
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
  readonly knownPairs: () => KnownPairsFile
  /** A number that changes whenever `kept` may have changed. */
  readonly knownPairsRevision: () => number
  /** Begins with pairs of an earlier run. To be called before anything else. */
  readonly restoreKnownPairs: (kept: KnownPairsFile) => void
  readonly suspects: LoginThrottle.LoginThrottle["list"]
  /** Number of connections refused because of a ban; of a member, those that it has not reported yet. */
  turnedAway: number
}

/** Decisions that can follow those of another process. */
export interface Replicated extends BanDecisions {
  /** Applies an update. */
  readonly follow: (update: Update) => void
  /** The updates that make a new replica equal to this. */
  readonly all: () => ReadonlyArray<Update>
}

/** Decisions of this process. `tell` gets every update. */
export const make = (hashes: KeyedHash["Service"], tell?: (update: Update) => void): Replicated => {
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
    isTooSoon: (attempt) => failures.isTooSoon(attempt),
    isExempt: (attempt) => failures.isExempt(attempt),
    wasRightBefore: (attempt) => failures.wasRightBefore(attempt),
    hasKnown: (address, now) => known.hasAny(ClientNetwork.nameOf(address), now),
    knownPairs: () => ({
      key,
      known: known.entries().map(({ account, network, at }) => ({ account, network, at }))
    }),
    knownPairsRevision: known.revision,
    restoreKnownPairs: ({ key, known }) => {
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
        // Attempts that were checked at the same time as the one that led to the ban change nothing.
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
    suspects: (now, window) => failures.list(now, window),
    turnedAway: 0,
    follow: (update) => {
      switch (update._tag) {
        case "guess":
          return void count(update.outcome, update)
        case "key":
          return setKey(update.key)
        case "known": {
          const { account, network, at, guess, failures } = update
          return know({ account, network, at, guess, failures })
        }
        case "tally":
          return failures.put(update.entry)
        case "ban": {
          const ban = read(update)
          if (ban.failures > 0) failures.clear(update.network)
          return put(ban)
        }
        case "lift":
          return void lift(networkOf(update.network), update.now)
      }
    },
    all: () => [
      { _tag: "key" as const, key },
      // Bans first: a ban clears the tallies of its network.
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
