/**
 * Bans of a whole fleet. Each machine decides as a machine alone does, and tells the store of its decisions and of the
 * failed logins; the store sums the guesses of all machines, and tells each machine the sums for the networks that it
 * has told of.
 *
 * A ban is published at once, and each second every machine compares the revision of its bans with that of the store. So
 * a lost message, a partition or a restart delays a ban by a second after the machine has the store again. Where words
 * on a network differ, the newer one holds: the store's is followed, and what it has forgotten is told again.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import type { BanDecisions, Update } from "../bans/BanDecisions.ts"
import type { Sharing } from "../bans/Bans.ts"
import { networkOf, ofBan } from "../bans/BanUpdate.ts"
import * as Parsers from "../config/Parsers.ts"
import type { FleetStoreFailed } from "../Errors.ts"
import * as BanWords from "./BanWords.ts"
import type { BanWordsFile } from "./BanWordsFile.ts"
import { type FleetStore, run } from "./FleetStore.ts"
import type { HashSharing } from "./HashSharing.ts"
import { bucketOf, type Keys } from "./Keys.ts"
import { type BanBatch, ExchangeBans, tolerance } from "./scripts/ExchangeBans.ts"
import { ListBans, ListKnown } from "./scripts/ListBans.ts"
import * as UntoldBans from "./UntoldBans.ts"
import * as UntoldLogins from "./UntoldLogins.ts"

export interface FleetBans extends Sharing {
  /**
   * Tells the store what there is to tell, and learns what others have told. To be called each second, and when `wake`
   * says so; for the first time when the bans of this machine's own file are restored.
   */
  readonly exchange: Effect.Effect<void, FleetStoreFailed>
  /** Takes news of another machine. */
  readonly receive: (message: string) => void
  /** Keeps the last words on networks in their file, where they are new. */
  readonly save: Effect.Effect<void>
}

interface Options extends HashSharing {
  readonly store: Pick<FleetStore["Service"], "call">
  /** The time of the store, in milliseconds since the epoch; undefined where it is not known. */
  readonly storeNow: () => number | undefined
  /** Called when a ban should be told at once. */
  readonly wake: () => void
  /** The number of machines. */
  readonly machines: () => number
  readonly wordsFile: BanWordsFile
}

/** Milliseconds that a message may take. */
const late = tolerance / 2

export const channelOf = (keys: Keys): string => `${keys.broadcast}:bans`

/** What goes to other machines with a change. The store adds the revisions before and after it, and its time. */
interface News {
  readonly from: string
  readonly bans: BanBatch["bans"]
  readonly lift: BanBatch["lifted"]
  readonly known: BanBatch["known"]
  /** Whether there is more in the store than this. */
  readonly isPartial: boolean
}

export const make = ({
  store,
  keys,
  machine,
  key,
  now: clock,
  storeNow,
  wake,
  machines,
  wordsFile
}: Options): FleetBans => {
  const bucket = bucketOf("bans")
  const all = ["bans", "banEnds", "banWords", "banRevision", "knownPairs"].map((kind) =>
    keys.ofBucket(kind, bucket)
  )
  let decisions: BanDecisions | undefined
  /** Whether a change is one that came from the store. */
  let isFollowing = false
  /** Whether bans are those of this machine's own file, which are no news. */
  let isRestoring = true
  /** The revision of the bans that are in force here; undefined before the first look at the store. */
  let revision: string | undefined
  const words = BanWords.make(wordsFile.left)
  let saved = words.revision()
  const untold = UntoldBans.make()
  const logins = UntoldLogins.make(clock, machines)

  const follow = (update: Update) => {
    isFollowing = true
    try {
      decisions?.follow(update)
    } finally {
      isFollowing = false
    }
  }

  /** The bans that hold here, by network. */
  const list = (now: number) =>
    new Map((decisions?.list(now) ?? []).map((ban) => [IpNetwork.format(ban.network), ban]))

  /** Lifts the bans of these networks, and not those of others that overlap with them. */
  const liftOnly = (networks: Iterable<string>, now: number) => {
    const before = list(now)
    const gone = new Set([...networks].filter((network) => before.has(network)))
    if (gone.size === 0) return
    for (const network of gone) follow({ _tag: "lift", network, now })
    const left = list(now)
    for (const [network, ban] of before) if (!gone.has(network) && !left.has(network)) follow(ofBan(ban))
  }

  const tell = (update: Update) => {
    if (isFollowing) return
    switch (update._tag) {
      case "guess":
        return logins.add(update)
      case "ban":
        if (isRestoring) return
        untold.ban(update)
        words.note(update.network, { isBan: true, at: clock() })
        return wake()
      case "lift": {
        const lifted = networkOf(update.network)
        const overlapping = [...list(update.now)].filter(([, { network }]) =>
          IpNetwork.overlaps(network, lifted)
        )
        const networks = [...new Set([update.network, ...overlapping.map(([network]) => network)])]
        for (const network of networks) words.note(network, { isBan: false, at: clock() })
        untold.lift(update.network, networks)
        return wake()
      }
    }
  }

  /** Tells the store what waits. Returns what it said, or undefined if the batch was long on its way and is to be told again. */
  const send = Effect.fnUntraced(function* (
    { bans, lifts, again }: UntoldBans.Taken,
    { guesses, forgiven, known }: UntoldLogins.Taken
  ) {
    const now = clock()
    const bansOf = (updates: Iterable<UntoldBans.BanUpdate>): BanBatch["bans"] =>
      Array.from(updates)
        .filter(({ until }) => until > now)
        .map(({ network, until, reason, failures }) => [
          ...([network, Math.ceil(until - now), reason, failures] as const),
          words.age(network, now)
        ])
    const liftingsOf = (networks: Iterable<string>): BanBatch["lifted"] =>
      Array.from(networks, (network) => [network, words.age(network, now)])
    const here = list(now)
    const bansAgain = [...again].flatMap((network) => {
      const ban = here.get(network)
      return ban === undefined ? [] : [ofBan(ban) as UntoldBans.BanUpdate]
    })
    const news: News = {
      from: machine,
      bans: bansOf(bans.values()),
      lift: liftingsOf([...lifts.values()].flat()),
      known: [...known],
      isPartial: again.size > 0
    }
    const batch: BanBatch = {
      sentAt: storeNow(),
      bans: [...news.bans, ...bansOf(bansAgain)],
      lifted: [...news.lift, ...liftingsOf([...again].filter(words.isLifting))],
      guesses: Array.from(guesses, ([guess, { network, wider, window }]) => [
        guess,
        Math.ceil(window),
        [network, ...wider]
      ]),
      forgiven: [...forgiven.values()],
      known: news.known
    }
    const isNews = news.bans.length + news.lift.length + news.known.length > 0
    const reply = yield* run(store, ExchangeBans, all, [
      JSON.stringify(batch),
      crypto.randomUUID(),
      channelOf(keys),
      isNews ? JSON.stringify(news).slice(1, -1) : ""
    ])
    if (reply.length === 2) return
    const [before, after, counts, refused] = reply
    const attempts = [...guesses.values()]
    for (const [index, counted] of counts.entries()) {
      yield* decisions?.summed(attempts[index]!, counted) ?? Effect.void
    }
    // Of this machine alone.
    return { after, refused, isKnown: before === revision && !news.isPartial }
  })

  /** Makes the bans here those of the store, but for newer words, which wait to be told again. */
  const reconcile = Effect.gen(function* () {
    const [[current, bansThere, lifted], now] = yield* recent(run(store, ListBans, all, []), clock)
    // What is no network would be told again for a month.
    const liftings = lifted.filter(([network]) => Option.isSome(Parsers.network(network)))
    const wordOf = (isBan: boolean, age: number): BanWords.Word => ({ isBan, at: now - Math.max(age, 0) })
    const there = new Map(bansThere.map(([network, , , , age]) => [network, wordOf(true, age)]))
    for (const [network, age] of liftings) there.set(network, wordOf(false, age))
    const here = list(now)
    const newer = new Set(words.newer(there, here.keys(), now).filter((network) => !untold.has(network)))
    untold.repeat(newer)
    for (const network of there.keys()) if (newer.has(network) || untold.has(network)) there.delete(network)
    for (const [network, word] of there) words.note(network, word)
    liftOnly(
      liftings.map(([network]) => network).filter((network) => there.has(network)),
      now
    )
    for (const [network, time, reason, failures] of bansThere) {
      const ban = here.get(network)
      if (!there.has(network) || (ban && Math.abs(ban.until - now - time) < tolerance)) continue
      follow({ _tag: "ban", network, until: now + time, reason, failures })
    }
    revision = current
  })

  const begin = Effect.gen(function* () {
    // The file of known users may have brought another key.
    follow({ _tag: "key", key })
    yield* reconcile
    const pairs = yield* run(store, ListKnown, all, [])
    for (let index = pairs.length - 2; index >= 0; index -= 2) learn(pairs[index]!, Number(pairs[index + 1]))
  })

  const learn = (pair: string, at: number) => {
    const [account = "", network = ""] = pair.split(" ")
    logins.learned(pair)
    follow({ _tag: "known", account, network, at, failures: 0 })
  }

  /** From here on bans are news. Those of the own file are told or lifted as the last word on their network says. */
  const restored = () => {
    isRestoring = false
    const now = clock()
    liftOnly([...list(now).keys()].filter(words.isLifting), now)
  }

  const exchange = Effect.gen(function* () {
    if (decisions === undefined) return
    if (isRestoring) restored()
    if (revision === undefined) yield* begin
    const takenLogins = logins.take()
    const sent = yield* send(untold.take(), takenLogins).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit) && exit.value !== undefined) return untold.told()
          untold.putBack()
          logins.putBack(takenLogins)
        })
      )
    )
    if (sent === undefined) return
    const { after, refused, isKnown } = sent
    // There the store's word holds, whatever clocks say.
    for (const network of refused) if (!untold.has(network)) words.distrust(network)
    if (refused.length > 0) yield* reconcile
    else if (isKnown) revision = after
    else if (after !== revision) yield* reconcile
    if (untold.hasBans()) wake()
  })

  const receive = (message: string) => {
    const told: News & { readonly before: string; readonly after: string; readonly at: number } =
      JSON.parse(message)
    const { before, after, at, from, ...news } = told
    if (from === machine || revision === undefined) return
    for (const [pair, at] of news.known) learn(pair, at)
    // Else the look at the store has had it.
    if (countOf(after) <= countOf(revision)) return
    // What was long on its way, or waited while this machine stood still, would be taken for newer than it is.
    if (!(Math.abs((storeNow() ?? Number.NaN) - at) < late)) return wake()
    const now = clock()
    // What the store does not have holds until it is told: a new ban, a lift, and what it has forgotten.
    const isOwn = (network: string, age: number) => untold.has(network) || words.isNewer(network, now - age)
    const lifted = news.lift.filter(([network, age]) => !isOwn(network, age))
    for (const [network, age] of lifted) words.note(network, { isBan: false, at: now - age })
    liftOnly(
      lifted.map(([network]) => network),
      now
    )
    const bansThere = news.bans.filter(([network, , , , age]) => !isOwn(network, age))
    for (const [network, time, reason, failures, age] of bansThere) {
      words.note(network, { isBan: true, at: now - age })
      follow({ _tag: "ban", network, until: now + time, reason, failures })
    }
    const isWhole = lifted.length === news.lift.length && bansThere.length === news.bans.length
    if (before === revision && isWhole && !news.isPartial) revision = after
  }

  return {
    attach: (own) => {
      decisions = own
      follow({ _tag: "key", key })
    },
    tell,
    exchange,
    receive,
    save: Effect.suspend(() => {
      const revision = words.revision()
      if (revision === saved) return Effect.void
      const now = clock()
      return Effect.map(wordsFile.save(words.lasting(list(now).keys(), now)), (isSaved) => {
        if (isSaved) saved = revision
      })
    })
  }
}

/**
 * A reply that has come soon, and when, as ages in it are those of that time. A machine that stood still asks again, but
 * not without end.
 */
const recent = <A, E, R>(
  ask: Effect.Effect<A, E, R>,
  clock: () => number,
  tries = 3
): Effect.Effect<readonly [reply: A, now: number], E, R> =>
  Effect.suspend(() => {
    const askedAt = clock()
    return Effect.flatMap(ask, (reply) => {
      const now = clock()
      return tries === 1 || Math.abs(now - askedAt) < late
        ? Effect.succeed([reply, now] as const)
        : recent(ask, clock, tries - 1)
    })
  })

/** The number of changes to the bans of the store up to a revision. */
const countOf = (revision = ""): number => Number(revision.split(":")[0])
