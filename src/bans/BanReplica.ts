/**
 * A member's replica of the failed logins and bans. The seat decides: the member
 * reports attempts, and answers look-ups from its replica.
 */
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import type { KeyedHash } from "../base/KeyedHash.ts"
import * as LruMap from "../base/LruMap.ts"
import * as Requests from "../base/Requests.ts"
import * as BanDecisions from "./BanDecisions.ts"
import type { Ban } from "./BanList.ts"
import type { Attempt } from "./LoginThrottle.ts"

/** To the seat. */
export type Report =
  /** An attempt that did not succeed. The member waits for `judged` with the same `id`. */
  | ({
      readonly _tag: "guessed"
      readonly id: number
      readonly outcome: "refused" | "failed"
      readonly address: string
    } & Attempt)
  | BanDecisions.Update
  /** The number of connections that were refused because of a ban. */
  | { readonly _tag: "turnedAway"; readonly count: number }

/** To a member: an update, or `judged` after all updates that the reported attempt led to. */
export type Judgement = BanDecisions.Update | { readonly _tag: "judged"; readonly id: number }

/** Milliseconds in which a login of the same user from the same network is not reported again. */
const known = 60 * 60 * 1000

export const make = (hashes: KeyedHash["Service"], send: (report: Report) => void): BanReplica =>
  new BanReplica(hashes, send)

export class BanReplica extends BanDecisions.BanDecisions {
  private readonly requests = Requests.make<"seat", void>()
  /** When a login of a user from a network was reported last, and when an attempt from a network failed last. */
  private readonly welcomed = LruMap.make<string, number>(8192)
  private readonly suspected = LruMap.make<string, number>(8192)
  private readonly send: (report: Report) => void

  constructor(hashes: KeyedHash["Service"], send: (report: Report) => void) {
    super(hashes)
    this.send = send
  }

  override succeeded(attempt: Attempt): void {
    if (!this.isNews(attempt)) return
    this.welcomed.set(`${attempt.account} ${attempt.network}`, attempt.now)
    this.send({ _tag: "guess", outcome: "succeeded", ...attempt })
    super.succeeded(attempt)
  }

  override failed(
    outcome: "refused" | "failed",
    address: NetAddress.IpAddress,
    attempt: Attempt
  ): Effect.Effect<void> {
    return Effect.ignore(
      this.requests.ask("seat", (id) =>
        this.send({ _tag: "guessed", id, outcome, address: NetAddress.formatIp(address), ...attempt })
      )
    )
  }

  override ban({ network, ...ban }: Ban): void {
    this.send({ _tag: "ban", network: IpNetwork.format(network), ...ban })
  }

  override lift(network: IpNetwork.IpNetwork, now: number): ReadonlyArray<Ban> {
    this.send({ _tag: "lift", network: IpNetwork.format(network), now })
    return this.list(now).filter((ban) => IpNetwork.overlaps(ban.network, network))
  }

  receive(judgement: Judgement): void {
    if (judgement._tag === "judged") {
      this.requests.answer("seat", judgement.id, undefined)
      return
    }
    if (judgement._tag === "guess" && judgement.outcome !== "succeeded") {
      this.suspected.set(judgement.network, judgement.now)
    }
    this.follow(judgement)
  }

  /** Reports the refused connections. */
  sweep(): void {
    if (this.turnedAway > 0) this.send({ _tag: "turnedAway", count: this.turnedAway })
    this.turnedAway = 0
  }

  private isNews(attempt: Attempt): boolean {
    const { account, network, now } = attempt
    const at = this.welcomed.get(`${account} ${network}`)
    const isOld = at === undefined || now - at > known || (this.suspected.get(network) ?? 0) >= at
    return isOld || !this.wasRightBefore(attempt)
  }
}
