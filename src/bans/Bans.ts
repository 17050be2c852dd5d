/**
 * What guessing passwords leads to: first attempts are refused unheard for a
 * growing time, then the client's network is turned away at the door.
 *
 * Here is only what has to be remembered, bounded whatever comes; how strict to
 * be is read from the configuration each time, so that all this outlives it.
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

export type Ban = BanList.Ban

/** A network that is banned now, or whose bans were lifted. */
export type BanChange = Extract<BanDecisions.Update, { readonly _tag: "ban" | "lift" }>

/** Where bans are told, by the process that decides them: nowhere unless somebody listens. */
export const BanLog = Context.Reference<{ readonly write: (change: BanChange) => void }>(
  "effect-socks/bans/BanLog",
  { defaultValue: () => ({ write: () => {} }) }
)

/** A failed login, as the log has it. */
export interface FailedLogin {
  readonly client: NetAddress.SocketAddress
  readonly listener: string
  readonly protocol: string | undefined
}

/** What there is to know of a network that is not banned yet. */
export interface Suspect {
  readonly network: string
  readonly failures: number
  /** Milliseconds since the epoch; no attempt from there is heard before. */
  readonly waitsUntil: number
}

export class Bans extends Context.Service<
  Bans,
  {
    /**
     * Fails if the client is banned. The client behind a proxy is known only after
     * its PROXY header, and is asked about again then, with `via`.
     */
    readonly admit: (peer: {
      readonly remote: NetAddress.SocketAddress
      readonly via?: NetAddress.SocketAddress
    }) => Effect.Effect<void, Banned, AuthSettings | ListenSettings>
    /** The authenticator with its failures counted by these settings; attempts that come too soon are refused unheard. */
    readonly guard: (
      authenticator: Authenticator["Service"],
      settings: BanSettings["Service"] & Pick<AuthSettings["Service"], "trust">
    ) => Authenticator["Service"]
    /** Logs a failed login, unless there were too many to log. */
    readonly log: (error: AuthenticationFailed, login: FailedLogin) => Effect.Effect<void>
    /** Bans a network, of any size, from now on for a time. */
    readonly ban: (
      network: IpNetwork.IpNetwork,
      duration: Duration.Duration,
      reason: string
    ) => Effect.Effect<void>
    /** Puts back a ban of before. */
    readonly restore: (ban: Ban) => Effect.Effect<void>
    /** Lifts every ban that holds for any address of a network, and says which. */
    readonly lift: (network: IpNetwork.IpNetwork) => Effect.Effect<ReadonlyArray<Ban>>
    /** The bans that hold now. */
    readonly list: Effect.Effect<ReadonlyArray<Ban>>
    /** Another number whenever that list may have changed otherwise than by time. */
    readonly revision: Effect.Effect<number>
    /** The known (user, network) pairs, to be kept and restored at the next start. */
    readonly kept: Effect.Effect<BanDecisions.Kept>
    /** Another number whenever that may have changed. */
    readonly keptRevision: Effect.Effect<number>
    readonly restoreKept: (kept: BanDecisions.Kept) => Effect.Effect<void>
    /** Networks with failed logins. */
    readonly suspects: Effect.Effect<ReadonlyArray<Suspect>, never, BanSettings>
    /** Connections turned away so far. */
    readonly turnedAway: Effect.Effect<number>
  }
>()("effect-socks/bans/Bans") {
  /** No bans, and no failed logins. */
  static readonly layer: Layer.Layer<Bans, never, KeyedHash> = Layer.effect(
    Bans,
    Effect.suspend(() => Effect.map(decide(), (own) => make(own)))
  )

  /**
   * By these decisions, in one of several processes, which does its part of what may
   * be done at once and be logged.
   */
  static readonly layerOf = (decisions: BanDecisions.BanDecisions, part: number): Layer.Layer<Bans> =>
    Layer.sync(Bans, () => make(decisions, part))
}

/** Decisions that this process makes, told to `BanLog` and to `tell`. */
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

/** Lines of failed logins in a period. */
const mostFailures: LineBudget.Most = { each: 5, all: 50 }

const make = (decisions: BanDecisions.BanDecisions, part = 1): Bans["Service"] => {
  const failureLines = LineBudget.make(mostFailures, part)
  const inTurn = KeyedSemaphore.make(Math.ceil(atOnce * part))
  /** What is heard out of turn, one at a time: each wrong password uses up some of the network's credit. */
  const welcomed = KeyedSemaphore.make(1)

  return {
    // Asked of every connection, of which nearly none is banned.
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
      // Another one after a reload.
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
            if (ban && !(isForGuessing(ban) && decisions.isWelcome(before))) return refusal("banned")
            if (decisions.isTooSoon(before)) {
              return Effect.andThen(
                decisions.failed("refused", address, before, settings),
                refusal("too soon after others")
              )
            }
            const claim = { isKnown: decisions.isWelcome(before), networks: [network, ...wider] }
            return Effect.provideService(inner.verify(credentials, from), LoginQueue.Claim, claim).pipe(
              Effect.tap(() => Effect.sync(() => decisions.succeeded(attempt()))),
              Effect.tapErrorTag("AuthenticationFailed", () =>
                decisions.failed("failed", address, attempt(), settings)
              )
            )
          })
          const first = attempt()
          if (decisions.isRight(first)) return verifyFirst
          return decisions.isWelcome(first) ? welcomed(network, verifyFirst) : inTurn(network, verifyFirst)
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
        yield* Effect.logWarning("authentication failed", {
          client: address,
          user: short.length > 64 ? `${short.slice(0, 64).join("")}…` : user,
          ...where,
          ...details
        })
      }
    }),

    ban: Effect.fnUntraced(function* (network, duration, reason) {
      // Not beyond what can be written as a date.
      const until = Math.min((yield* Clock.currentTimeMillis) + Duration.toMillis(duration), 8.64e15)
      decisions.ban({ network, until, reason, failures: 0 })
    }),
    restore: (ban) => Effect.sync(() => decisions.ban(ban)),
    lift: (network) => Effect.map(Clock.currentTimeMillis, (now) => decisions.lift(network, now)),
    list: Effect.map(Clock.currentTimeMillis, decisions.list),
    revision: Effect.sync(decisions.revision),
    kept: Effect.sync(decisions.kept),
    keptRevision: Effect.sync(decisions.keptRevision),
    restoreKept: (kept) => Effect.sync(() => decisions.restore(kept)),
    suspects: Effect.gen(function* () {
      const { banWindow } = yield* BanSettings
      return decisions
        .suspects(yield* Clock.currentTimeMillis, Duration.toMillis(banWindow))
        .map(([network, { count, until }]) => ({ network, failures: count, waitsUntil: until }))
    }),
    turnedAway: Effect.sync(() => decisions.turnedAway)
  }
}

/** Whether it is for failed logins, and not by hand. */
const isForGuessing = ({ failures }: Ban): boolean => failures > 0

const utf8 = new TextEncoder()

const networkOf = (client: NetAddress.SocketAddress): string =>
  NetAddress.isInetAddress(client) ? ClientNetwork.nameOf(client.address) : client.path
