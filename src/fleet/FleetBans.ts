/**
 * Bans of a whole fleet. Each machine decides as a machine alone does, and tells the store of its decisions and of the
 * failed logins; the store sums the guesses of all machines, and tells each machine the sums for the networks that it
 * has told of.
 *
 * A ban is published at once, and each second every machine compares the revision of its bans with that of the store. So
 * a lost message, a partition or a restart delays a ban by a second after the machine has the store again. Where a ban
 * is here and not in the store, it was lifted if the store says so, and else the store has forgotten it and gets it
 * again.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as IpNetwork from "effect/net/IpNetwork"
import type { BanDecisions, Update } from "../bans/BanDecisions.ts"
import type { Sharing } from "../bans/Bans.ts"
import { networkOf, ofBan } from "../bans/BanUpdate.ts"
import type { Attempt } from "../bans/LoginThrottle.ts"
import * as LruMap from "../base/LruMap.ts"
import type { FleetStoreFailed } from "../Errors.ts"
import { type FleetStore, run } from "./FleetStore.ts"
import { bucketOf, type Keys } from "./Keys.ts"
import { type BanBatch, ExchangeBans, ListBans, ListKnown } from "./scripts/ExchangeBans.ts"

export interface FleetBans extends Sharing {
  /**
   * Tells the store what there is to tell, and learns what others have told. To be called each second, and when `wake`
   * says so; for the first time when the bans of this machine's own file are restored.
   */
  readonly exchange: Effect.Effect<void, FleetStoreFailed>
  /** Takes news of another machine. */
  readonly receive: (message: string) => void
}

interface Options {
  readonly store: Pick<FleetStore["Service"], "call">
  readonly keys: Keys
  readonly machine: string
  /** The key of the hashes, which is the same on all machines. */
  readonly key: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Called when a ban should be told at once. */
  readonly wake: () => void
}

/** The most entries of each list of a batch. What is beyond waits, or counts on this machine only. */
const most = 500

/** Milliseconds in which a known pair is told once, by whichever machine, and in which a machine forgives it once. */
const quiet = 60_000

/** Two ends of a ban that differ by less are the same: clocks and messages take their time. */
const tolerance = 2000

export const channelOf = (keys: Keys): string => `${keys.broadcast}:bans`

type BanUpdate = Extract<Update, { readonly _tag: "ban" }>

/** What goes to other machines with a change. */
interface News {
  readonly from: string
  readonly bans: BanBatch["bans"]
  /** Networks: every ban of an address in one of them is lifted. */
  readonly lift: ReadonlyArray<string>
  readonly known: BanBatch["known"]
  /** Whether there is more in the store than this. */
  readonly isPartial: boolean
}

export const make = ({ store, keys, machine, key, now: clock, wake }: Options): FleetBans => {
  const bucket = bucketOf("bans")
  const all = ["bans", "banEnds", "liftedBans", "banRevision", "knownPairs"].map((kind) =>
    keys.ofBucket(kind, bucket)
  )
  let decisions: BanDecisions | undefined
  /** Whether a change is one that came from the store. */
  let isFollowing = false
  /** The revision of the bans that are in force here; undefined before the first look at the store. */
  let revision: string | undefined
  let bans = new Map<string, BanUpdate>()
  /** Networks of `bans` that the store has had before, and has forgotten. */
  const forgotten = new Set<string>()
  /** Networks whose bans are lifted, and the networks of these bans. */
  let lifts = new Map<string, ReadonlyArray<string>>()
  let guesses = new Map<string, Attempt>()
  let forgiven = new Map<string, readonly [account: string, networks: ReadonlyArray<string>]>()
  let known = new Map<string, number>()
  /** When each pair was told last, by this machine or another, and when its guesses were forgiven here. */
  const told = LruMap.make<string, number>(8192)
  const welcomed = LruMap.make<string, number>(8192)
  const isRecent = (at: number | undefined, now: number) => at !== undefined && now >= at && now - at < quiet

  const follow = (update: Update) => {
    isFollowing = true
    try {
      decisions?.follow(update)
    } finally {
      isFollowing = false
    }
  }

  const guessed = ({ outcome, ...attempt }: Extract<Update, { readonly _tag: "guess" }>) => {
    const { account, guess, network, wider, now } = attempt
    if (outcome !== "succeeded") {
      if (guesses.size < most) guesses.set(account + guess, attempt)
      return
    }
    const pair = `${account} ${network}`
    // What is told goes to all machines, so each need not tell what another has told.
    if (!isRecent(told.get(pair), now) && known.size < most) {
      told.set(pair, now)
      known.set(pair, now)
    }
    if (isRecent(welcomed.get(pair), now)) return
    welcomed.set(pair, now)
    if (forgiven.size < most) forgiven.set(pair, [account, [network, ...wider]])
    for (const [key, other] of guesses) {
      if (other.account === account && other.network === network) guesses.delete(key)
    }
  }

  const tell = (update: Update) => {
    if (isFollowing) return
    switch (update._tag) {
      case "guess":
        return guessed(update)
      case "ban":
        bans.set(update.network, update)
        forgotten.delete(update.network)
        return wake()
      case "lift": {
        const lifted = networkOf(update.network)
        const networks = (decisions?.list(update.now) ?? [])
          .filter(({ network }) => IpNetwork.overlaps(network, lifted))
          .map(({ network }) => IpNetwork.format(network))
        for (const network of networks) {
          bans.delete(network)
          forgotten.delete(network)
        }
        lifts.set(update.network, [update.network, ...networks])
        return wake()
      }
    }
  }

  /** Takes all that waits. On a failure `putBack` has it wait again, except where something newer is there. */
  const take = () => {
    const taken = { bans, lifts, guesses, forgiven, known }
    bans = new Map()
    lifts = new Map()
    guesses = new Map()
    forgiven = new Map()
    known = new Map()
    return taken
  }

  let sending: ReturnType<typeof take> | undefined

  const putBack = (taken: ReturnType<typeof take>) => {
    // A ban that was made since a lift holds.
    for (const names of lifts.values()) for (const name of names) taken.bans.delete(name)
    bans = new Map([...taken.bans, ...bans])
    lifts = new Map([...taken.lifts, ...lifts])
    guesses = new Map([...taken.guesses, ...guesses].slice(0, most))
    forgiven = new Map([...taken.forgiven, ...forgiven].slice(0, most))
    known = new Map([...taken.known, ...known].slice(0, most))
  }

  const send = Effect.fnUntraced(function* (taken: ReturnType<typeof take>) {
    const now = clock()
    const batch: BanBatch = {
      bans: [...taken.bans.values()].flatMap(({ network, until, reason, failures }) =>
        until > now
          ? [[network, Math.ceil(until - now), reason, failures, forgotten.has(network) ? 0 : 1] as const]
          : []
      ),
      lifted: [...taken.lifts.values()].flat(),
      guesses: Array.from(taken.guesses, ([guess, { network, wider, window }]) => [
        guess,
        Math.ceil(window),
        [network, ...wider]
      ]),
      forgiven: [...taken.forgiven.values()],
      known: [...taken.known]
    }
    const news: News = {
      from: machine,
      bans: batch.bans.filter(([, , , , isNew]) => isNew === 1),
      lift: [...taken.lifts.keys()],
      known: batch.known,
      isPartial: batch.bans.some(([, , , , isNew]) => isNew === 0)
    }
    const isNews = news.bans.length + news.lift.length + news.known.length > 0
    const [before, after, counts] = yield* run(store, ExchangeBans, all, [
      JSON.stringify(batch),
      crypto.randomUUID(),
      channelOf(keys),
      isNews ? JSON.stringify(news).slice(1, -1) : ""
    ])
    const attempts = [...taken.guesses.values()]
    for (const [index, counted] of counts.entries()) {
      yield* decisions?.summed(attempts[index]!, counted) ?? Effect.void
    }
    for (const network of taken.bans.keys()) forgotten.delete(network)
    // Of this machine alone.
    return { after, isKnown: before === revision && !news.isPartial }
  })

  /** Makes the bans here those of the store. What the store has forgotten waits to be told again. */
  const reconcile = Effect.gen(function* () {
    const [current, stored, lifted] = yield* run(store, ListBans, all, [])
    const now = clock()
    const here = new Map((decisions?.list(now) ?? []).map((ban) => [IpNetwork.format(ban.network), ban]))
    for (const [network, time, reason, failures] of stored) {
      const ban = here.get(network)
      here.delete(network)
      if (bans.has(network) || isLifted(network)) continue
      if (ban && Math.abs(ban.until - now - time) < tolerance) continue
      follow({ _tag: "ban", network, until: now + time, reason, failures })
    }
    const isGone = new Set(lifted)
    for (const [network, ban] of here) {
      if (bans.has(network) && !forgotten.has(network)) continue
      bans.delete(network)
      forgotten.delete(network)
      if (isGone.has(network)) follow({ _tag: "lift", network, now })
      else {
        bans.set(network, ofBan(ban) as BanUpdate)
        forgotten.add(network)
      }
    }
    revision = current
  })

  /** Whether a lift waits to be told that is of this network. */
  const isLifted = (network: string) =>
    [...lifts.keys(), ...(sending?.lifts.keys() ?? [])].some((lift) =>
      IpNetwork.overlaps(networkOf(lift), networkOf(network))
    )

  const begin = Effect.gen(function* () {
    // The file of known users may have brought another key.
    follow({ _tag: "key", key })
    // What was banned before the first look is told or lifted as the store says.
    bans = new Map()
    forgotten.clear()
    yield* reconcile
    const pairs = yield* run(store, ListKnown, all, [])
    for (let index = pairs.length - 2; index >= 0; index -= 2) learn(pairs[index]!, Number(pairs[index + 1]))
  })

  const learn = (pair: string, at: number) => {
    const [account = "", network = ""] = pair.split(" ")
    told.set(pair, clock())
    follow({ _tag: "known", account, network, at, failures: 0 })
  }

  const exchange = Effect.gen(function* () {
    if (decisions === undefined) return
    if (revision === undefined) yield* begin
    const taken = take()
    sending = taken
    const { after, isKnown } = yield* send(taken).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          sending = undefined
          if (Exit.isFailure(exit)) putBack(taken)
        })
      )
    )
    if (after === revision) return
    if (isKnown) revision = after
    else yield* reconcile
  })

  const receive = (message: string) => {
    const { before, after, from, ...news }: News & Readonly<Record<"before" | "after", string>> =
      JSON.parse(message)
    if (from === machine || revision === undefined) return
    for (const [pair, at] of news.known) learn(pair, at)
    // Else the look at the store has had it.
    if (countOf(after) <= countOf(revision)) return
    const now = clock()
    for (const network of news.lift) {
      follow({ _tag: "lift", network, now })
      const lifted = networkOf(network)
      for (const [name, ban] of [...(sending?.bans ?? []), ...bans]) {
        if (!IpNetwork.overlaps(networkOf(name), lifted)) continue
        // A new ban that the store does not have yet comes after the lift.
        if (!forgotten.has(name)) follow(ban)
        else if (bans.delete(name)) forgotten.delete(name)
      }
    }
    for (const [network, time, reason, failures] of news.bans) {
      // A lift that the store does not have yet comes after the ban.
      if (!isLifted(network)) follow({ _tag: "ban", network, until: now + time, reason, failures })
    }
    if (before === revision && !news.isPartial) revision = after
  }

  return {
    attach: (own) => {
      decisions = own
      follow({ _tag: "key", key })
    },
    tell,
    exchange,
    receive
  }
}

/** The number of changes to the bans of the store up to a revision. */
const countOf = (revision = ""): number => Number(revision.split(":")[0])
