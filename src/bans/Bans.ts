/**
 * The answer to password guessing: after failed logins, further attempts are refused
 * without a check of the password for a growing time, and then the client's network
 * is banned, which refuses its connections.
 *
 * The service keeps only the state, which is bounded and outlives a reload. The
 * settings are read at each use.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import type { Authenticator } from "../auth/Authenticator.ts"
import { AuthSettings } from "../auth/Settings.ts"
import * as ClientNetwork from "../base/ClientNetwork.ts"
import { KeyedHash } from "../base/KeyedHash.ts"
import { Banned } from "../Errors.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import * as BanDecisions from "./BanDecisions.ts"
import * as BanList from "./BanList.ts"
import * as FailedLoginLog from "./FailedLoginLog.ts"
import { type GuardSettings, LoginGuard } from "./LoginGuard.ts"
import { BanSettings } from "./Settings.ts"

export type { FailedLogin } from "./FailedLoginLog.ts"

/** A banned network, until when, and why. */
export type Ban = BanList.Ban

/** A network that is banned now, or whose bans were lifted. */
export type BanChange = Extract<BanDecisions.Update, { readonly _tag: "ban" | "lift" }>

/** Where the process that decides on bans reports changes. By default they are reported nowhere. */
export const BanLog = Context.Reference<{ readonly write: (change: BanChange) => void }>(
  "effect-socks/bans/BanLog",
  { defaultValue: () => ({ write: () => {} }) }
)

/** What shares the decisions on bans with other machines. By default nothing does. */
export interface Sharing {
  /** Takes the decisions of this process, before any is made. */
  readonly attach: (decisions: BanDecisions.BanDecisions) => void
  /** Takes each change of the decisions. */
  readonly tell: (update: BanDecisions.Update) => void
}

export const BanSharing = Context.Reference<Sharing | undefined>("effect-socks/bans/BanSharing", {
  defaultValue: () => undefined
})

/** A network with failed logins that is not banned. */
export interface Suspect {
  readonly network: string
  readonly failures: number
  /** Attempts are refused until this time, in milliseconds since the epoch. */
  readonly waitsUntil: number
}

/**
 * The banned networks, and the networks with failed logins.
 *
 * **When to use**
 *
 * Use it to ban a network by hand, to lift a ban, and to list bans. Bans for failed logins are made automatically.
 *
 * **Example** (Banning a network for an hour)
 *
 * ```ts
 * import { Duration, Effect } from "effect"
 * import { IpNetwork } from "effect/net"
 * import { Bans } from "effect-socks"
 *
 * const ban = (network: IpNetwork.IpNetwork) =>
 *   Effect.flatMap(Bans, (bans) => bans.ban(network, Duration.hours(1), "abuse"))
 * ```
 */
export class Bans extends Context.Service<
  Bans,
  {
    /**
     * Fails if the client is banned. The address of a client behind a proxy is known
     * only after the PROXY header: call this again then, with `via`.
     */
    readonly admit: (peer: Client) => Effect.Effect<void, Banned, AuthSettings | ListenSettings>
    /**
     * Wraps an authenticator: counts its failures by these settings, and refuses attempts that come too soon without a
     * check.
     */
    readonly guard: (
      authenticator: Authenticator["Service"],
      settings: GuardSettings
    ) => Authenticator["Service"]
    /** Logs a failed login, at most 5 a network and 50 in all in 10 seconds. */
    readonly log: FailedLoginLog.FailedLoginLog
    /** Bans a network of any size for a duration from now on. */
    readonly ban: (
      network: IpNetwork.IpNetwork,
      duration: Duration.Duration,
      reason: string
    ) => Effect.Effect<void>
    /** Restores a ban of an earlier run. */
    readonly restore: (ban: Ban) => Effect.Effect<void>
    /** Lifts every ban that holds for any address of a network, and returns these bans. */
    readonly lift: (network: IpNetwork.IpNetwork) => Effect.Effect<ReadonlyArray<Ban>>
    /** The bans that hold now. */
    readonly list: Effect.Effect<ReadonlyArray<Ban>>
    /** A number that changes whenever `list` may have changed, other than by a ban that ends. */
    readonly revision: Effect.Effect<number>
    /** The known (user, network) pairs, to be kept and restored at the next start. */
    readonly knownPairs: Effect.Effect<BanDecisions.KnownPairsFile>
    /** A number that changes whenever `kept` may have changed. */
    readonly knownPairsRevision: Effect.Effect<number>
    readonly restoreKnownPairs: (kept: BanDecisions.KnownPairsFile) => Effect.Effect<void>
    /** Networks with failed logins. */
    readonly suspects: Effect.Effect<ReadonlyArray<Suspect>, never, BanSettings>
    /** Number of connections refused because of a ban. */
    readonly turnedAway: Effect.Effect<number>
  }
>()("effect-socks/bans/Bans") {
  /** Bans that this process decides on alone, none at first. */
  static readonly layer: Layer.Layer<Bans, never, KeyedHash> = Layer.effect(
    Bans,
    Effect.suspend(() => Effect.map(decide(), (own) => make(own)))
  )

  /**
   * Bans by these decisions, in one of several processes. `part`, from 0 to 1, is its part of the password checks at a
   * time and of the log lines.
   */
  static readonly layerOf = (decisions: BanDecisions.BanDecisions, part: number): Layer.Layer<Bans> =>
    Layer.sync(Bans, () => make(decisions, part))
}

/** Decisions of this process, reported to `BanLog`, to `BanSharing` and to `tell`. */
export const decide = (
  tell?: (update: BanDecisions.Update) => void
): Effect.Effect<BanDecisions.BanDecisions, never, KeyedHash> =>
  Effect.gen(function* () {
    const hashes = yield* KeyedHash
    const { write } = yield* BanLog
    const sharing = yield* BanSharing
    const decisions = BanDecisions.make(hashes, (update) => {
      tell?.(update)
      if (isBanChange(update)) write(update)
      sharing?.tell(update)
    })
    sharing?.attach(decisions)
    return decisions
  })

const isBanChange = (news: BanDecisions.Update): news is BanChange =>
  news._tag === "ban" || news._tag === "lift"

/** The address of a client, and that of the proxy which the client came through. */
interface Client {
  readonly remote: NetAddress.SocketAddress
  readonly via?: NetAddress.SocketAddress
}

const make = (decisions: BanDecisions.BanDecisions, part = 1): Bans["Service"] => {
  const guard = new LoginGuard(decisions, part)
  return {
    admit: (client) => admit(decisions, client),
    guard: (authenticator, settings) => guard.guard(authenticator, settings),
    log: FailedLoginLog.make(part),
    ban: Effect.fnUntraced(function* (network, duration, reason) {
      // At most the last time that a Date can hold.
      const until = Math.min((yield* Clock.currentTimeMillis) + Duration.toMillis(duration), 8.64e15)
      decisions.ban({ network, until, reason, failures: 0 })
    }),
    restore: (ban) => Effect.sync(() => decisions.ban(ban)),
    lift: (network) => Effect.map(Clock.currentTimeMillis, (now) => decisions.lift(network, now)),
    list: Effect.map(Clock.currentTimeMillis, (now) => decisions.list(now)),
    revision: Effect.sync(() => decisions.revision()),
    knownPairs: Effect.sync(() => decisions.knownPairs()),
    knownPairsRevision: Effect.sync(() => decisions.knownPairsRevision()),
    restoreKnownPairs: (kept) => Effect.sync(() => decisions.restoreKnownPairs(kept)),
    suspects: Effect.gen(function* () {
      const { banWindow } = yield* BanSettings
      return decisions
        .suspects(yield* Clock.currentTimeMillis, Duration.toMillis(banWindow))
        .map(([network, { count, until }]) => ({ network, failures: count, waitsUntil: until }))
    }),
    turnedAway: Effect.sync(() => decisions.turnedAway)
  }
}

// Runs for every connection, nearly none of which is banned.
const admit = (
  decisions: BanDecisions.BanDecisions,
  { remote, via }: Client
): Effect.Effect<void, Banned, AuthSettings | ListenSettings> =>
  Effect.withFiber((fiber) => {
    const { trust } = Context.getUnsafe(fiber.context, AuthSettings)
    if (!NetAddress.isInetAddress(remote) || ClientNetwork.isIn(remote, trust)) return Effect.void
    const { proxyProtocolFrom } = Context.getUnsafe(fiber.context, ListenSettings)
    if (via === undefined && ClientNetwork.isIn(remote, proxyProtocolFrom)) return Effect.void
    const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
    const ban = decisions.find(remote.address, now)
    if (ban === undefined || BanDecisions.isHere(remote.address)) return Effect.void
    // A ban for failed logins keeps out no network of a known user: there `guard` refuses everyone but that user.
    if (BanList.isForGuessing(ban) && decisions.hasKnown(remote.address, now)) return Effect.void
    decisions.turnedAway++
    const network = IpNetwork.format(ban.network)
    return Effect.andThen(
      Effect.logDebug("turned away", { client: NetAddress.formatHost(remote), network }),
      Effect.fail(new Banned({ network }))
    )
  })
