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

export interface BanReplica extends BanDecisions.BanDecisions {
  readonly receive: (judgement: Judgement) => void
  readonly sweep: () => void
}

/** Milliseconds in which a login of the same user from the same network is not reported again. */
const known = 60 * 60 * 1000

export const make = (hashes: KeyedHash["Service"], send: (report: Report) => void): BanReplica => {
  const copy = BanDecisions.make(hashes)
  const requests = Requests.make<"seat", void>()
  /** When a login of a user from a network was reported last, and when an attempt from a network failed last. */
  const welcomed = LruMap.make<string, number>(8192)
  const suspected = LruMap.make<string, number>(8192)

  const isNews = (attempt: Attempt): boolean => {
    const { account, network, now } = attempt
    const at = welcomed.get(`${account} ${network}`)
    const isOld = at === undefined || now - at > known || (suspected.get(network) ?? 0) >= at
    return isOld || !copy.wasRightBefore(attempt)
  }

  const replica: BanReplica = {
    ...copy,
    succeeded: (attempt) => {
      if (!isNews(attempt)) return
      welcomed.set(`${attempt.account} ${attempt.network}`, attempt.now)
      send({ _tag: "guess", outcome: "succeeded", ...attempt })
      copy.succeeded(attempt)
    },
    failed: (outcome, address, attempt) =>
      Effect.ignore(
        requests.ask("seat", (id) =>
          send({ _tag: "guessed", id, outcome, address: NetAddress.formatIp(address), ...attempt })
        )
      ),
    ban: ({ network, ...ban }) => send({ _tag: "ban", network: IpNetwork.format(network), ...ban }),
    lift: (network, now) => {
      send({ _tag: "lift", network: IpNetwork.format(network), now })
      return copy.list(now).filter((ban) => IpNetwork.overlaps(ban.network, network))
    },
    turnedAway: 0,
    receive: (judgement) => {
      if (judgement._tag === "judged") return void requests.answer("seat", judgement.id, undefined)
      if (judgement._tag === "guess" && judgement.outcome !== "succeeded") {
        suspected.set(judgement.network, judgement.now)
      }
      copy.follow(judgement)
    },
    sweep: () => {
      if (replica.turnedAway > 0) send({ _tag: "turnedAway", count: replica.turnedAway })
      replica.turnedAway = 0
    }
  }
  return replica
}
