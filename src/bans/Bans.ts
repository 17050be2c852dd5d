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
import * as LoginQueue from "../auth/LoginQueue.ts"
import { AuthSettings } from "../auth/Settings.ts"
import * as ClientNetwork from "../base/ClientNetwork.ts"
import { defined } from "../base/Fields.ts"
import { KeyedHash } from "../base/KeyedHash.ts"
import * as KeyedSemaphore from "../base/KeyedSemaphore.ts"
import * as LineBudget from "../base/LineBudget.ts"
import { AuthenticationFailed, Banned, type Refusal } from "../Errors.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import { printable } from "../wire/Text.ts"
import * as BanDecisions from "./BanDecisions.ts"
import type * as BanList from "./BanList.ts"
import type { Attempt } from "./LoginThrottle.ts"
import { BanSettings } from "./Settings.ts"

/** A banned network, until when, and why. */
export type Ban = BanList.Ban

/** A network that is banned now, or whose bans were lifted. */
export type BanChange = Extract<BanDecisions.Update, { readonly _tag: "ban" | "lift" }>

/** Where the process that decides on bans reports changes. By default they are reported nowhere. */
export const BanLog = Context.Reference<{ readonly write: (change: BanChange) => void }>(
  "effect-socks/bans/BanLog",
  { defaultValue: () => ({ write: () => {} }) }
)

/** The fields of a failed login in the log. */
export interface FailedLogin {
  readonly client: NetAddress.SocketAddress
  readonly listener: string
  readonly protocol: string | undefined
}

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
    readonly admit: (peer: {
      readonly remote: NetAddress.SocketAddress
      readonly via?: NetAddress.SocketAddress
    }) => Effect.Effect<void, Banned, AuthSettings | ListenSettings>
    /**
     * Wraps an authenticator: counts its failures by these settings, and refuses attempts that come too soon without a
     * check.
     */
    readonly guard: (
      authenticator: Authenticator["Service"],
      settings: BanSettings["Service"] & Pick<AuthSettings["Service"], "trust">
    ) => Authenticator["Service"]
    /** Logs a failed login, at most 5 a network and 50 in all in 10 seconds. */
    readonly log: (error: AuthenticationFailed, login: FailedLogin) => Effect.Effect<void>
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

/** Decisions of this process, reported to `BanLog` and to `tell`. */
export const decide = (
  tell?: (update: BanDecisions.Update) => void
): Effect.Effect<BanDecisions.Replicated, never, KeyedHash> =>
  Effect.zipWith(KeyedHash, BanLog, (hashes, { write }) =>
    BanDecisions.make(hashes, (update) => {
      tell?.(update)
      if (isBanChange(update)) write(update)
    })
  )

const isBanChange = (news: BanDecisions.Update): news is BanChange =>
  news._tag === "ban" || news._tag === "lift"

/** Number of password checks of one network at a time. */
const atOnce = 8

/** Log lines of failed logins in 10 seconds: of a network, and in all. */
const mostFailures: LineBudget.Most = { each: 5, all: 50 }

const make = (decisions: BanDecisions.BanDecisions, part = 1): Bans["Service"] => {
  const failureLines = LineBudget.make(mostFailures, part)
  const inTurn = KeyedSemaphore.make(Math.ceil(atOnce * part))
  /**
   * Attempts of known users, which do not wait for the others: one at a time, as each wrong password uses up credit of
   * the network.
   */
  const welcomed = KeyedSemaphore.make(1)

  return {
    // Runs for every connection, nearly none of which is banned.
    admit: ({ remote, via }) =>
      Effect.withFiber((fiber) => {
        const { trust } = Context.getUnsafe(fiber.context, AuthSettings)
        if (!NetAddress.isInetAddress(remote) || ClientNetwork.isIn(remote, trust)) return Effect.void
        const { proxyProtocolFrom } = Context.getUnsafe(fiber.context, ListenSettings)
        if (via === undefined && ClientNetwork.isIn(remote, proxyProtocolFrom)) return Effect.void
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        const ban = decisions.find(remote.address, now)
        if (ban === undefined || BanDecisions.isHere(remote.address)) return Effect.void
        // A ban for failed logins keeps out no network of a known user: there `guard` refuses everyone but that user.
        if (isForGuessing(ban) && decisions.hasKnown(remote.address, now)) return Effect.void
        decisions.turnedAway++
        const network = IpNetwork.format(ban.network)
        return Effect.andThen(
          Effect.logDebug("turned away", { client: NetAddress.formatHost(remote), network }),
          Effect.fail(new Banned({ network }))
        )
      }),

    guard: (inner, settings) => ({
      // A getter, as a reload may change them.
      get methods() {
        return inner.methods
      },
      ...(inner.recognize && { recognize: inner.recognize }),
      verify: (credentials, from) => {
        const window = Duration.toMillis(settings.banWindow)
        // Clients of Unix-domain sockets are exempt, and so are the networks in the settings.
        if (!NetAddress.isInetAddress(from) || ClientNetwork.isIn(from, settings.trust)) {
          return inner.verify(credentials, from)
        }
        const { address } = from
        const [network = "", ...wider] = ClientNetwork.around(address).map(IpNetwork.format)
        const area = ClientNetwork.areaOf(address)
        const { username, password } = credentials
        const user = printable(username)
        const account = decisions.digest(username)
        const guess = decisions.digest(utf8.encode(network), username, password)
        const refusal = (reason: Refusal) => Effect.fail(new AuthenticationFailed({ user, reason }))
        return Effect.clockWith((clock) => {
          const attempt = (): Attempt => ({
            ...{ network, wider, area, account, guess },
            ...{ now: clock.currentTimeMillisUnsafe(), window }
          })
          const verifyFirst = Effect.suspend(() => {
            const before = attempt()
            const ban = BanDecisions.isHere(address) ? undefined : decisions.find(address, before.now)
            if (ban && !(isForGuessing(ban) && decisions.isExempt(before))) return refusal("banned")
            if (decisions.isTooSoon(before)) {
              return Effect.andThen(
                decisions.failed("refused", address, before, settings),
                refusal("too soon after others")
              )
            }
            const claim = { isKnown: decisions.isExempt(before), networks: [network, ...wider] }
            return Effect.provideService(inner.verify(credentials, from), LoginQueue.Claim, claim).pipe(
              Effect.tap(() => Effect.sync(() => decisions.succeeded(attempt()))),
              Effect.tapErrorTag("AuthenticationFailed", () =>
                decisions.failed("failed", address, attempt(), settings)
              )
            )
          })
          const first = attempt()
          if (decisions.wasRightBefore(first)) return verifyFirst
          return decisions.isExempt(first) ? welcomed(network, verifyFirst) : inTurn(network, verifyFirst)
        })
      }
    }),

    log: Effect.fnUntraced(function* ({ _tag, user, ...details }, { client, ...where }) {
      const address = NetAddress.isInetAddress(client) ? NetAddress.formatHost(client) : client.path
      const now = yield* Clock.currentTimeMillis
      const { isShown, leftOut } = failureLines.note(networkOf(client), now)
      if (leftOut > 0) {
        yield* Effect.logWarning("more logins failed than were logged", { leftOut })
      }
      if (isShown) {
        const short = Array.from(user)
        const shown = short.length > 64 ? `${short.slice(0, 64).join("")}…` : user
        yield* Effect.logWarning(
          "authentication failed",
          defined({ client: address, user: shown, ...where, ...details })
        )
      }
    }),

    ban: Effect.fnUntraced(function* (network, duration, reason) {
      // At most the last time that a Date can hold.
      const until = Math.min((yield* Clock.currentTimeMillis) + Duration.toMillis(duration), 8.64e15)
      decisions.ban({ network, until, reason, failures: 0 })
    }),
    restore: (ban) => Effect.sync(() => decisions.ban(ban)),
    lift: (network) => Effect.map(Clock.currentTimeMillis, (now) => decisions.lift(network, now)),
    list: Effect.map(Clock.currentTimeMillis, decisions.list),
    revision: Effect.sync(decisions.revision),
    knownPairs: Effect.sync(decisions.knownPairs),
    knownPairsRevision: Effect.sync(decisions.knownPairsRevision),
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

/** Whether the ban is for failed logins, and not by an operator. */
const isForGuessing = ({ failures }: Ban): boolean => failures > 0

const utf8 = new TextEncoder()

const networkOf = (client: NetAddress.SocketAddress): string =>
  NetAddress.isInetAddress(client) ? ClientNetwork.nameOf(client.address) : client.path
