/**
 * The seat of a `Coordinator`: it counts for all members, and sends each member
 * what the member has to know.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Schedule from "effect/Schedule"
import type { Remembered } from "../auth/RememberedLogins.ts"
import * as RememberedLogins from "../auth/RememberedLogins.ts"
import type * as BanDecisions from "../bans/BanDecisions.ts"
import { Bans, decide } from "../bans/Bans.ts"
import { BanSettings } from "../bans/Settings.ts"
import * as Hmac from "../base/Hmac.ts"
import { KeyedHash } from "../base/KeyedHash.ts"
import * as TokenBuckets from "../base/TokenBuckets.ts"
import type { StateFailed } from "../Errors.ts"
import { Pseudonym } from "../network/Pseudonym.ts"
import { UsageRecords } from "../usage/UsageRecords.ts"
import { Coordinator, type Membership, type News, type Report, type Welcome } from "./Coordinator.ts"
import * as Quotas from "./Quotas.ts"
import * as RateAllocator from "./RateAllocator.ts"
import * as SessionIds from "./SessionIds.ts"
import { LimitSettings } from "./Settings.ts"
import * as SlotAllocator from "./SlotAllocator.ts"
import type * as Usage from "./Usage.ts"

/** A member, as the seat knows it: the same object in every call. */
export interface Member {
  /** Sends a message to the member, in order with the messages before. It may call back into the seat only later. */
  readonly send: (news: News) => void
}

/** What shares remembered logins with other machines. By default nothing does. */
export interface LoginSharing {
  /** The key of the hashes, in Base64. */
  readonly key: string
  /** Gives the logins of other machines to this, from now on. */
  readonly attach: (follow: (logins: ReadonlyArray<Remembered>) => void) => void
  /** Takes logins of this machine. */
  readonly tell: (logins: ReadonlyArray<Remembered>) => void
}

export const CurrentLoginSharing = Context.Reference<LoginSharing | undefined>(
  "effect-socks/limits/LoginSharing",
  { defaultValue: () => undefined }
)

/**
 * The seat that counts for its members: sessions, rates, bandwidth, quotas, failed logins and bans.
 *
 * **When to use**
 *
 * Use it in the process that counts for several servers. `layerLocal` is for members of the same process; for
 * another transport, call `enter`, `receive` and `remove`.
 *
 * **Example** (A seat for two members)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { CoordinatorSeat, Settings } from "effect-socks"
 *
 * const seat = CoordinatorSeat.layer(2).pipe(Layer.provide(Settings.layer({ maxSessions: 1000 })))
 * ```
 */
export class CoordinatorSeat extends Context.Service<
  CoordinatorSeat,
  {
    /** Adds a member, which is sent all news from now on. The member begins with the welcome. */
    readonly enter: (member: Member) => Welcome
    /** Takes a message from a member. Messages of a member come in the order in which they were sent. */
    readonly receive: (member: Member, report: Report) => void
    /** Removes a member that has ended. What the member had leased is free for the others. */
    readonly remove: (member: Member) => void
    /** Applies these settings to failed logins from now on, as after a reload. */
    readonly configure: (settings: BanSettings["Service"]) => void
  }
>()("effect-socks/limits/CoordinatorSeat") {
  /**
   * A seat in this process for `count` members, with the bans that it decides on. Each member does a `count`th of what
   * is not counted together: handshakes, password checks at a time, lines of failed logins. The seat keeps usage in the
   * `stateDir` of its settings, and fails where it cannot; bans are kept by whoever builds the seat.
   */
  static readonly layer = (
    count: number
  ): Layer.Layer<CoordinatorSeat | Bans | UsageRecords, StateFailed, Quotas.Sections> =>
    Layer.provideMerge(Layer.unwrap(Effect.suspend(() => layerFor(count))), UsageRecords.layer)

  /** A coordinator for servers in the same process as the seat: several listeners of one app, for one. */
  static readonly layerLocal: Layer.Layer<Coordinator, never, CoordinatorSeat> = Layer.effect(
    Coordinator,
    Effect.map(CoordinatorSeat, (seat) => ({ join: join(seat) }))
  )
}

const layerFor = Effect.fnUntraced(function* (count: number) {
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const members = new Set<Member>()
  const tell = (news: News) => {
    for (const member of members) member.send(news)
  }
  const decisions = yield* Effect.provideService(decide(tell), KeyedHash, Hmac.hashes)
  const parts = {
    count,
    members,
    tell,
    run,
    decisions,
    usage: yield* Quotas.usage,
    logins: yield* CurrentLoginSharing,
    settings: yield* BanSettings,
    quotaResetDay: (yield* LimitSettings).quotaResetDay
  }
  const { sweep, ...seat } = make(parts)
  yield* Effect.forkScoped(Effect.schedule(Effect.sync(sweep), Schedule.spaced("1 second")))
  return Layer.merge(Layer.succeed(CoordinatorSeat, seat), Bans.layerOf(decisions, 1))
})

interface Parts {
  readonly count: number
  readonly members: Set<Member>
  /** Sends a message to all members. */
  readonly tell: (news: News) => void
  readonly run: (effect: Effect.Effect<void>) => void
  readonly decisions: BanDecisions.BanDecisions
  readonly usage: Usage.Usage
  readonly logins: LoginSharing | undefined
  readonly settings: BanSettings["Service"]
  readonly quotaResetDay: number
}

const make = ({ count, members, tell, run, decisions, usage, logins, quotaResetDay, ...parts }: Parts) => {
  let { settings } = parts
  const nextBlock = SessionIds.blocks()
  const slots = SlotAllocator.make<Member>((member, ruling) => member.send(ruling))
  const shares = RateAllocator.make<Member>((member, share) => member.send(share))
  const rates = TokenBuckets.make()
  const pseudonym = Pseudonym.random()
  const loginKey = logins?.key ?? Hmac.newKey()
  const remembered = RememberedLogins.make(Hmac.digest(loginKey))
  logins?.attach((others) => {
    remembered.follow(others, Date.now())
    tell({ _tag: "logins", logins: others })
  })
  let moved = new Set<string>()
  let denies = false

  const enter = (member: Member): Welcome => {
    members.add(member)
    const now = Date.now()
    return {
      ...{ count, pseudonym, loginKey, ids: nextBlock() },
      ...{ isUsageRecorded: usage.isRecorded, quotaResetDay },
      news: [
        ...decisions.all(),
        { _tag: "used", ...usage.snapshot(now), ...(denies && { denies }) },
        { _tag: "logins", logins: remembered.all(now) }
      ]
    }
  }

  const receive = (member: Member, report: Report) => {
    switch (report._tag) {
      case "ids":
        return member.send({ _tag: "ids", ids: nextBlock() })
      case "token": {
        const { id, key, limit } = report
        return member.send({ _tag: "token", id, wait: rates.take(key, limit, performance.now()) })
      }
      case "ask":
      case "own":
      case "back":
        return slots.receive(member, report)
      case "enter":
      case "demand":
      case "leave":
      case "kept":
        return shares.receive(member, report)
      case "moved":
        for (const [name, amount, isLimited] of report.accounts) {
          usage.add(name, amount, Date.now(), isLimited)
          if (isLimited) moved.add(name)
        }
        return
      case "logins":
        remembered.follow(report.logins, Date.now())
        for (const other of members) if (other !== member) other.send(report)
        return logins?.tell(report.logins)
      case "guessed": {
        const { _tag, id, outcome, address, ...attempt } = report
        const failed = decisions.failed(outcome, NetAddress.ipFromStringUnsafe(address), attempt, settings)
        // After the updates that the failed login led to.
        return run(
          Effect.ensuring(
            failed,
            Effect.sync(() => member.send({ _tag: "judged", id }))
          )
        )
      }
      case "checked":
        // Of no member, where nobody was told to check for all.
        return
      case "turnedAway":
        decisions.turnedAway += report.count
        return
      default:
        return decisions.follow(report)
    }
  }

  return {
    enter,
    receive,
    remove: (member: Member) => {
      members.delete(member)
      slots.remove(member)
      shares.remove(member)
    },
    configure: (next: BanSettings["Service"]) => {
      settings = next
    },
    /** Sends all members the usage of the accounts whose usage has changed since the last call. */
    sweep: () => {
      const names = moved
      moved = new Set()
      for (const name of usage.takeChanged?.() ?? []) names.add(name)
      const before = denies
      denies = usage.denies?.() ?? false
      if (names.size === 0 && denies === before) return
      const { date, accounts } = usage.snapshot(Date.now())
      const update = { date, accounts: accounts.filter(({ name }) => names.has(name)) }
      tell(
        usage.takeChanged ? { _tag: "used", ...update, isExact: true, denies } : { _tag: "used", ...update }
      )
    }
  }
}

/** Membership in the same process. The seat's messages arrive in a microtask, when no call is under way at either side. */
const join = Effect.fnUntraced(function* (seat: CoordinatorSeat["Service"]) {
  let isMember = true
  const early: Array<News> = []
  let receive = (news: News): void => void early.push(news)
  const member: Member = { send: (news) => queueMicrotask(() => receive(news)) }
  const welcome = seat.enter(member)
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isMember = false
      seat.remove(member)
    })
  )
  const membership: Membership = {
    welcome,
    report: (report) => {
      if (isMember) seat.receive(member, report)
    },
    follow: (next) => {
      receive = next
      early.splice(0).forEach(next)
    }
  }
  return membership
})
