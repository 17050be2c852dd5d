/**
 * The members of a route, of which one is chosen for each session. Those that fail are left alone.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as LruMap from "../base/LruMap.ts"
import { hashOf } from "../base/TextHash.ts"
import type { Breaker, Failure } from "./Breaker.ts"
import type * as Chain from "./Chain.ts"
import * as Choice from "./Choice.ts"
import * as Labels from "./Labels.ts"
import { LoadHeap } from "./LoadHeap.ts"
import * as MemberStates from "./MemberStates.ts"
import type { Choice as ChoiceName } from "./RouteOptions.ts"
import { SlowStart } from "./SlowStart.ts"
import { UpstreamLog } from "./UpstreamLog.ts"
import type { UpstreamState } from "./UpstreamState.ts"

export interface Member {
  readonly name: string
  /** A text that is the same for the same member on every machine. */
  readonly id: string
  readonly hops: Chain.Hops
  readonly weight: number
  readonly labels: Labels.Labels
}

/** What a session asks of its member. */
export interface Asked {
  /** What the session has in common with others that get the same member. */
  readonly key: string | undefined
  /** The labels that the member must have. */
  readonly labels: ReadonlyArray<Labels.Label>
  /** The user or the client's network: failures that a target can cause count once for each of these. */
  readonly by: string | undefined
  /** The session's client and target: only some sessions wait for the same answer. Left out where nothing is asked. */
  readonly flow?: string | undefined
}

export interface Options {
  /** The name of the route. */
  readonly route: string
  readonly members: ReadonlyArray<Member>
  readonly choose: ChoiceName
}

/** A member, with what was seen of it. */
export class Seen implements Member {
  readonly name: string
  readonly id: string
  readonly hops: Chain.Hops
  readonly weight: number
  readonly labels: Labels.Labels
  state = MemberStates.unseen()

  constructor({ name, id, hops, weight, labels }: Member) {
    this.name = name
    this.id = id
    this.hops = hops
    this.weight = weight
    this.labels = labels
  }

  get sessions(): number {
    return this.state.sessions
  }

  get breaker(): Breaker {
    return this.state.breaker
  }
}

/** A hash of a member's logins: with another login it is another member, as the old one may be what fails. */
const loginsOf = ({ hops }: Member): number =>
  hashOf(
    hops
      .map(({ upstream: { credentials } }) => credentials && Redacted.value(credentials))
      .map((login) => (login ? `${login.username.join()} ${login.password.join()}` : ""))
      .join("\n")
  )

/** Members of which one is chosen: all, or those with some labels. */
export interface Group {
  readonly members: ReadonlyArray<Seen>
  readonly choose: Choice.Choose<Seen>
}

/** The most groups of members with some labels that are kept for sure. */
const mostGroups = 256

export class Pool {
  readonly route: string
  readonly members: ReadonlyArray<Seen>
  /** The names of labels that members have. */
  readonly labels: ReadonlyArray<string>
  private readonly all: Group
  /** The members by their load, where it decides. */
  private readonly heap: LoadHeap<Seen> | undefined
  private readonly groups = LruMap.make<string, Group>(mostGroups)
  private readonly groupOf: (members: ReadonlyArray<Seen>) => Group
  private hash: number | undefined
  /** The sessions that wait for an answer. */
  readonly sessions = new SlowStart(16)
  /** The relays of associations from which no datagram has come yet. To some targets datagrams go one way only. */
  readonly relays = new SlowStart(64)
  /** The number of attempts beside others of the same session. */
  beside = 0
  /** The members that have a label, by its text. */
  private readonly labelled = new Map<string, Array<Seen>>()

  private constructor({ route, members, choose }: Options, random: () => number) {
    this.route = route
    this.members = members.map((member) => new Seen(member))
    this.labels = [...new Set(members.flatMap(({ labels }) => [...labels.keys()]))]
    this.groupOf = (members) => ({ members, choose: Choice.make(choose, members, random) })
    this.all = this.groupOf(this.members)
    for (const member of this.members) {
      for (const label of member.labels) {
        const text = Labels.format([label])
        const same = this.labelled.get(text)
        if (same === undefined) this.labelled.set(text, [member])
        else same.push(member)
      }
    }
    if (choose !== "least-sessions") return
    // Of all members there may be many. A group with some labels has fewer.
    const heap = new LoadHeap(this.members)
    this.heap = heap
    this.all = { members: this.members, choose: (mayUse) => heap.first(mayUse) }
    for (const member of this.members) member.state.listeners.add(() => heap.update(member))
  }

  static readonly make = (options: Options): Effect.Effect<Pool> =>
    Effect.map(Random.Random, (random) => new Pool(options, () => random.nextDoubleUnsafe()))

  /** Takes the states of members that these states have, until the scope closes. To be called before the first use. */
  share(states: MemberStates.MemberStates): Effect.Effect<void, never, Scope.Scope> {
    const times = new Map<string, number>()
    return Effect.forEach(
      this.members,
      (member) => {
        const own = this.keyOf(member)
        const time = (times.get(own) ?? 0) + 1
        times.set(own, time)
        return Effect.flatMap(states.of(`${time} ${own}`), (state) => {
          member.state = state
          return this.follow(member)
        })
      },
      { discard: true }
    )
  }

  /** A text that is the same for the same member with the same logins on every machine. A secret, as logins are in it. */
  keyOf(member: Member): string {
    return `${this.route} ${member.id} ${loginsOf(member)}`
  }

  /** Keeps the member in its place by its load, until the scope closes. */
  private follow(member: Seen): Effect.Effect<void, never, Scope.Scope> {
    const { heap } = this
    if (heap === undefined) return Effect.void
    const { listeners } = member.state
    const listener = () => heap.update(member)
    listener()
    return Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => listeners.add(listener)),
        () => Effect.sync(() => listeners.delete(listener))
      )
    )
  }

  /** A number that is the same for pools of the same members with the same logins. */
  get fingerprint(): number {
    this.hash ??= hashOf(
      this.members
        .map((member) => `${member.id} ${Labels.format(member.labels)} ${loginsOf(member)}`)
        .join("\n")
    )
    return this.hash
  }

  /** What is known of the members. */
  get states(): ReadonlyArray<UpstreamState> {
    return this.members.map(({ name, id, state: { breaker, sessions, failures, changedAt, error } }) => ({
      ...{ route: this.route, member: name, id, isUp: !breaker.isOpen, since: changedAt },
      ...{ sessions, failures, error }
    }))
  }

  /** The member that a session would get now, and the number of those that it may get. */
  preview(asked: Asked, now: number): { readonly member: Member | undefined; readonly count: number } {
    const group = this.groupFor(asked.labels)
    return { member: pick(group, new Set(), asked.key, now), count: group.members.length }
  }

  /** The members with these labels. Those that no member has are not kept, as any client can ask for them. */
  groupFor(labels: ReadonlyArray<Labels.Label>): Group {
    if (labels.length === 0) return this.all
    const key = Labels.format(labels)
    const known = this.groups.get(key)
    if (known !== undefined) return known
    // Fast for labels that no member has, and for few members with one of the labels.
    const having = labels.map((label) => this.labelled.get(Labels.format([label])) ?? [])
    const fewest = having.reduce((fewest, other) => (other.length < fewest.length ? other : fewest))
    const members = fewest.filter((member) => Labels.isMet(member.labels, labels))
    const group = this.groupOf(members)
    if (members.length > 0) this.groups.set(key, group)
    return group
  }

  /** Notes that a member works. */
  works({ state, name }: Seen): Effect.Effect<void> {
    return Effect.clockWith((clock) => {
      state.error = undefined
      if (!state.breaker.succeed()) return Effect.void
      state.changedAt = clock.currentTimeMillisUnsafe()
      const which = { route: this.route, member: name }
      return Effect.andThen(
        Effect.logInfo("an upstream works again", which),
        Effect.flatMap(UpstreamLog, ({ changed }) => changed({ ...which, isUp: true }))
      )
    })
  }

  /** Notes that a member fails. */
  fails(
    { state, name }: Seen,
    { _tag: outcome, message: reason }: { readonly _tag: string; readonly message: string },
    failure: Failure
  ): Effect.Effect<void> {
    return Effect.clockWith((clock) => {
      const now = clock.currentTimeMillisUnsafe()
      state.failures++
      state.error = reason
      const told = { route: this.route, member: name, outcome, reason }
      const failed = Effect.flatMap(UpstreamLog, ({ failed }) => failed(told))
      if (!state.breaker.fail(now, failure)) return failed
      state.changedAt = now
      return failed.pipe(
        Effect.andThen(Effect.logWarning("an upstream keeps failing", told)),
        Effect.andThen(Effect.flatMap(UpstreamLog, ({ changed }) => changed({ ...told, isUp: false })))
      )
    })
  }
}

/**
 * A member that was not tried yet. Of those that are left alone, one only if there is no other one, and none beside one
 * that is being tried.
 */
export const pick = (
  { choose }: Group,
  tried: ReadonlySet<Seen>,
  key: string | undefined,
  now: number,
  isBeside = false
): Seen | undefined =>
  choose((member) => !tried.has(member) && member.breaker.mayUse(now), key) ??
  (isBeside ? undefined : choose((member) => !tried.has(member), key))
