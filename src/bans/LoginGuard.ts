/**
 * Guards the check of passwords: a login that comes too soon, or from a banned network, is refused without a check, and
 * its outcome is reported to the decisions on bans.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import type { Authenticator, Identity } from "../auth/Authenticator.ts"
import * as LoginQueue from "../auth/LoginQueue.ts"
import type { AuthSettings } from "../auth/Settings.ts"
import * as ClientNetwork from "../base/ClientNetwork.ts"
import * as KeyedSemaphore from "../base/KeyedSemaphore.ts"
import { AuthenticationFailed, type Refusal, type VerificationError } from "../Errors.ts"
import type { Credentials } from "../wire/Socks5.ts"
import { printable } from "../wire/Text.ts"
import * as BanDecisions from "./BanDecisions.ts"
import { isForGuessing } from "./BanList.ts"
import type { Attempt } from "./LoginThrottle.ts"
import type { BanSettings } from "./Settings.ts"

export type GuardSettings = BanSettings["Service"] & Pick<AuthSettings["Service"], "trust">

/** Number of password checks of one network at a time. */
const atOnce = 8

export class LoginGuard {
  private readonly decisions: BanDecisions.BanDecisions
  private readonly inTurn: ReturnType<typeof KeyedSemaphore.make>
  /**
   * Attempts of known users, which do not wait for the others: one at a time, as each wrong password uses up credit of
   * the network.
   */
  private readonly welcomed = KeyedSemaphore.make(1)

  /** `part`, from 0 to 1, is the part of the password checks at a time that this process may make. */
  constructor(decisions: BanDecisions.BanDecisions, part: number) {
    this.decisions = decisions
    this.inTurn = KeyedSemaphore.make(Math.ceil(atOnce * part))
  }

  /** The authenticator, guarded by these settings. */
  guard(inner: Authenticator["Service"], settings: GuardSettings): Authenticator["Service"] {
    return {
      // A getter, as a reload may change them.
      get methods() {
        return inner.methods
      },
      ...(inner.recognize && { recognize: inner.recognize }),
      verify: (credentials, from) => {
        // Clients of Unix-domain sockets are exempt, and so are the networks in the settings.
        if (!NetAddress.isInetAddress(from) || ClientNetwork.isIn(from, settings.trust)) {
          return inner.verify(credentials, from)
        }
        const check = Effect.suspend(() => inner.verify(credentials, from))
        return this.inItsTurn(this.loginOf(credentials, from.address), check, settings)
      }
    }
  }

  /** Guards a check, which waits for other checks of its network. */
  private inItsTurn(login: Login, check: Check, settings: GuardSettings): Check {
    const { network } = login
    return Effect.clockWith((clock) => {
      const attempt = () => attemptOf(login, clock, settings)
      const first = attempt()
      const guarded = this.guarded(login, check, attempt, settings)
      if (this.decisions.wasRightBefore(first)) return guarded
      return this.decisions.isExempt(first) ? this.welcomed(network, guarded) : this.inTurn(network, guarded)
    })
  }

  /** Makes the check unless the attempt is refused, and counts the outcome. */
  private guarded(login: Login, check: Check, attempt: () => Attempt, settings: GuardSettings): Check {
    const { decisions } = this
    const { address, user, network, wider } = login
    const refusal = (reason: Refusal) => Effect.fail(new AuthenticationFailed({ user, reason }))
    return Effect.suspend(() => {
      const before = attempt()
      if (this.isBanned(address, before)) return refusal("banned")
      if (decisions.isTooSoon(before)) {
        const count = decisions.failed("refused", address, before, settings)
        return Effect.andThen(count, refusal("too soon after others"))
      }
      const claim = { isKnown: decisions.isExempt(before), networks: [network, ...wider] }
      return Effect.provideService(check, LoginQueue.Claim, claim).pipe(
        Effect.tap(() => Effect.sync(() => decisions.succeeded(attempt()))),
        Effect.tapErrorTag("AuthenticationFailed", () =>
          decisions.failed("failed", address, attempt(), settings)
        )
      )
    })
  }

  private isBanned(address: NetAddress.IpAddress, attempt: Attempt): boolean {
    const ban = BanDecisions.isHere(address) ? undefined : this.decisions.find(address, attempt.now)
    return ban !== undefined && !(isForGuessing(ban) && this.decisions.isExempt(attempt))
  }

  private loginOf({ username, password }: Credentials, address: NetAddress.IpAddress): Login {
    const [network = "", ...wider] = ClientNetwork.around(address).map(IpNetwork.format)
    return {
      ...{ address, network, wider, area: ClientNetwork.areaOf(address), user: printable(username) },
      account: this.decisions.digest(username),
      guess: this.decisions.digest(utf8.encode(network), username, password)
    }
  }
}

type Check = Effect.Effect<Identity, VerificationError>

/** An attempt without its time, the client's address, and the printable user name. */
interface Login extends Omit<Attempt, "now" | "window"> {
  readonly address: NetAddress.IpAddress
  readonly user: string
}

/** The attempt as it is now. */
const attemptOf = (
  { network, wider, area, account, guess }: Login,
  clock: Clock.Clock,
  { banWindow }: GuardSettings
): Attempt => ({
  ...{ network, wider, area, account, guess },
  ...{ now: clock.currentTimeMillisUnsafe(), window: Duration.toMillis(banWindow) }
})

const utf8 = new TextEncoder()
