/**
 * The client side of a `Coordinator`: a server's counters, shares, bans and
 * remembered logins as a member, wherever the seat is.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as RememberedLogins from "../auth/RememberedLogins.ts"
import * as BanReplica from "../bans/BanReplica.ts"
import { Bans } from "../bans/Bans.ts"
import * as Hmac from "../base/Hmac.ts"
import { Pseudonym } from "../network/Pseudonym.ts"
import * as CheckSharing from "../routes/CheckSharing.ts"
import { UsageRecords } from "../usage/UsageRecords.ts"
import { Coordinator, type Membership, type News } from "./Coordinator.ts"
import { Quotas } from "./Quotas.ts"
import * as RateShare from "./RateShare.ts"
import { RateShares } from "./RateShares.ts"
import * as RateTokens from "./RateTokens.ts"
import * as SessionIds from "./SessionIds.ts"
import { type Grant, SharedCounters } from "./SharedCounters.ts"
import * as SlotLease from "./SlotLease.ts"
import * as UsageReplica from "./UsageReplica.ts"

/**
 * A server as a member of a seat: what it counts in common with other servers.
 *
 * **When to use**
 *
 * Provide `CoordinatorMember.layer` to a server, above a `Coordinator`, so that limits, quotas and bans hold for
 * all members together.
 *
 * **Example** (A member of a seat in the same process)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { CoordinatorMember, CoordinatorSeat, Server, Settings } from "effect-socks"
 *
 * const options = { maxSessions: 1000 }
 * const seat = CoordinatorSeat.layerLocal.pipe(
 *   Layer.provide(CoordinatorSeat.layer(2)),
 *   Layer.provide(Settings.layer(options))
 * )
 * const member = Server.layer(options).pipe(
 *   Layer.provide(CoordinatorMember.layer),
 *   Layer.provide(seat)
 * )
 * ```
 */
export class CoordinatorMember extends Context.Service<
  CoordinatorMember,
  Omit<Member, "receive" | "sweep">
>()("effect-socks/limits/CoordinatorMember") {
  /** Joins until the layer is released. Reports bytes and gives back unused slots once a second. */
  static readonly layer: Layer.Layer<CoordinatorMember, never, Coordinator> = Layer.effect(
    CoordinatorMember,
    Effect.gen(function* () {
      const membership = yield* (yield* Coordinator).join
      const clock = yield* Clock.clockWith(Effect.succeed)
      const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
      const { receive, sweep, ...member } = make(membership, now)
      membership.follow(receive)
      const sweeping = Effect.sync(sweep)
      // For the bytes that the last sessions moved.
      yield* Effect.addFinalizer(() => sweeping)
      yield* Effect.forkScoped(Effect.schedule(sweeping, Schedule.spaced("1 second")))
      if (member.usage.isRecorded) {
        const reporting = Effect.sync(() => member.usage.sweep())
        yield* Effect.forkScoped(Effect.schedule(reporting, Schedule.spaced("200 millis")))
      }
      return member
    })
  )

  /** The counters of a server that is a member, for `Server.layerOf`. */
  static readonly services: Layer.Layer<Bans | Quotas | UsageRecords | Pseudonym, never, CoordinatorMember> =
    Layer.unwrap(
      Effect.map(CoordinatorMember, ({ counters, shares, usage, decisions, checks, pseudonym }) =>
        Layer.mergeAll(
          Layer.succeed(CheckSharing.CurrentCheckSharing, checks),
          Layer.succeed(SharedCounters, () => counters),
          Layer.succeed(RateShares, shares),
          Quotas.layerOf(usage),
          // The seat records.
          UsageRecords.layerOff,
          Bans.layerOf(decisions, counters.fraction),
          Layer.succeed(Pseudonym, pseudonym)
        )
      )
    )
}

interface Member {
  readonly counters: SharedCounters
  readonly shares: RateShares
  readonly usage: UsageReplica.UsageReplica
  readonly decisions: BanReplica.BanReplica
  readonly remembered: RememberedLogins.RememberedLogins
  readonly checks: CheckSharing.CheckSharing
  readonly pseudonym: string
  readonly receive: (news: News) => void
  /** Gives back unused slots, and reports bytes and refused connections. To be called once a second. */
  readonly sweep: () => void
}

const make = ({ welcome, report }: Membership, now: () => number): Member => {
  const ids = SessionIds.make(welcome.ids, () => report({ _tag: "ids" }))
  const slots = SlotLease.make(report, now)
  const tokens = RateTokens.make(report, now)
  const decisions = BanReplica.make(Hmac.hashes, report)
  const usage = UsageReplica.make(report, {
    isRecorded: welcome.isUsageRecorded,
    resetDay: welcome.quotaResetDay
  })
  const shares = RateShare.make(report)
  const digest = Hmac.digest(welcome.loginKey)
  const remembered = RememberedLogins.make(digest, (login) => report({ _tag: "logins", logins: [login] }))
  const nameOf = (check: string) => digest(new TextEncoder().encode(`check ${check}`))
  const checks = CheckSharing.make({ nameOf, report, now })

  const receive = (news: News) => {
    switch (news._tag) {
      case "ids":
        return ids.add(news.ids)
      case "token":
        return tokens.receive(news)
      case "used":
        return usage.receive(news)
      case "share":
        return shares.receive(news)
      case "logins":
        return remembered.follow(news.logins, Date.now())
      case "until":
        return slots.holdUntil(news.at ?? Number.POSITIVE_INFINITY)
      case "checked":
      case "checker":
        return checks.receive(news)
      case "grant":
      case "full":
      case "recall":
        return slots.receive(news)
      default:
        return decisions.receive(news)
    }
  }

  welcome.news.forEach(receive)
  return {
    counters: {
      nextId: ids.next,
      fraction: 1 / welcome.count,
      slots,
      rates: tokens,
      declare: () => slots.declare(),
      requestMore: ({ kind, key, limit }) =>
        kind === "token"
          ? tokens.ask(key, limit)
          : Effect.callback<Grant>((resume) => {
              // A session that goes on at once would count itself between the check and the count of the session whose
              // change has freed the slot.
              slots.ask(key, limit, (slot) =>
                queueMicrotask(() => resume(Effect.succeed(slot ?? { wait: 0 })))
              )
            })
    },
    ...{ shares, usage, decisions, remembered, checks, receive },
    pseudonym: welcome.pseudonym,
    sweep: () => {
      for (const part of [slots, tokens, decisions, usage]) part.sweep()
    }
  }
}
