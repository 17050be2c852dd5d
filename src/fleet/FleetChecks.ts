/**
 * The health checks of a fleet. On the machine that leads, one member checks, and the store tells all other machines what it
 * has found; the members of all machines go by that as long as its results come.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as LruMap from "../base/LruMap.ts"
import type { FleetStoreFailed } from "../Errors.ts"
import type { Checked, Checker, CheckResult } from "../routes/CheckSharing.ts"
import { printable } from "../wire/Text.ts"
import { type FleetStore, run } from "./FleetStore.ts"
import type { Keys } from "./Keys.ts"
import { ListChecks, TellChecks } from "./scripts/Checks.ts"

interface Options<Member> {
  readonly store: Pick<FleetStore["Service"], "call">
  readonly keys: Keys
  readonly machine: string
  /** Milliseconds of a clock that nobody sets. */
  readonly now: () => number
  readonly send: (member: Member, news: Checked | Checker) => void
  /** Called when there is something to tell the other machines. */
  readonly wake: () => void
}

/** The most results that wait, are in a message, and are remembered. */
const most = 1000

/** The channel on which results are published. */
export const channelOf = (keys: Keys): string => `${keys.broadcast}:checks`

/** What was found, as the store has it. */
const Found = Schema.Struct({
  outcome: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[A-Za-z]{1,64}$/))),
  reason: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(1024)))
})
type Found = typeof Found.Type

const Message = Schema.Struct({
  from: Schema.String,
  results: Schema.Array(
    Schema.Struct({ check: Schema.String.check(Schema.isMaxLength(64)), ...Found.fields })
  ).check(Schema.isMaxLength(most))
})

const decodeFound = Schema.decodeUnknownOption(Schema.fromJsonString(Found))
const decodeMessage = Schema.decodeUnknownOption(Schema.fromJsonString(Message))

export class FleetChecks<Member> {
  private readonly options: Options<Member>
  private readonly key: ReadonlyArray<string>
  private readonly members = new Set<Member>()
  /** The member that checks for all, on the machine that leads. */
  private checker: Member | undefined
  private leads = false
  private hasListed = false
  private waiting = new Map<string, CheckResult>()
  private readonly known = LruMap.make<string, { readonly result: CheckResult; readonly at: number }>(most)

  constructor(options: Options<Member>) {
    this.options = options
    this.key = [options.keys.ofBucket("checks", 0)]
  }

  /** This machine leads from now on, or no longer. */
  lead(leads: boolean): void {
    this.leads = leads
    // A store that is away gets it later, and would have it as if it were found then.
    if (!leads) this.waiting.clear()
    this.choose()
  }

  /** Adds a member. Returns what it has to know. */
  enter(member: Member): ReadonlyArray<Checked | Checker> {
    this.members.add(member)
    const isChecker = this.leads && this.checker === undefined
    if (isChecker) this.checker = member
    const now = this.options.now()
    const results = this.known.entries().map(([, { result, at }]) => ({ ...result, age: now - at }))
    return [
      { _tag: "checked", results },
      { _tag: "checker", isChecker }
    ]
  }

  remove(member: Member): void {
    this.members.delete(member)
    if (this.checker !== member) return
    this.checker = undefined
    this.choose()
  }

  /** Takes what a member has found. */
  receive(member: Member, { results }: Checked): void {
    if (member !== this.checker) return
    this.pass(results, member)
    for (const result of results) {
      if (this.waiting.has(result.check) || this.waiting.size < most) this.waiting.set(result.check, result)
    }
    this.options.wake()
  }

  /** Takes a message of another machine, on the channel. */
  receiveMessage(text: string): void {
    const message = Option.getOrUndefined(decodeMessage(text))
    if (message === undefined || message.from === this.options.machine) return
    this.pass(message.results.map(({ check, ...found }) => resultOf(check, found)))
  }

  /** The store may have been away, with what others have found meanwhile. */
  connected(): void {
    this.hasListed = false
  }

  /** Tells what waits, and learns what was found before. To be called each second, and when `wake` says so. */
  readonly exchange: Effect.Effect<void, FleetStoreFailed> = Effect.suspend(() =>
    Effect.andThen(this.hasListed ? Effect.void : this.list, this.tell)
  )

  private readonly list = Effect.gen({ self: this }, function* () {
    const [now, found] = yield* run(this.options.store, ListChecks, this.key, [])
    this.hasListed = true
    const results: Array<CheckResult & { readonly age: number }> = []
    for (let index = 0; index + 1 < found.length; index += 2) {
      const [, at = "", text = ""] = /^(\d{1,15}) (.*)$/s.exec(found[index + 1]!) ?? []
      const decoded = decodeFound(text)
      const age = Math.max(now - Number(at), 0)
      const known = this.known.get(found[index]!)?.at ?? Number.NEGATIVE_INFINITY
      // What was heard since is newer.
      if (Option.isNone(decoded) || known >= this.options.now() - age) continue
      results.push({ ...resultOf(found[index]!, decoded.value), age })
    }
    this.pass(results)
  })

  private readonly tell = Effect.suspend(() => {
    if (this.waiting.size === 0) return Effect.void
    const waiting = this.waiting
    this.waiting = new Map()
    const all = Array.from(waiting.values(), ({ check, failure }) => ({ check, ...cut(failure) }))
    const { store, keys, machine } = this.options
    const message = JSON.stringify({ from: machine, results: all } satisfies typeof Message.Type)
    const args = all.flatMap(({ check, ...found }) => [check, JSON.stringify(found)])
    return run(store, TellChecks, this.key, [channelOf(keys), message, ...args]).pipe(
      Effect.asVoid,
      Effect.tapError(() =>
        Effect.sync(() => {
          // The newest: a check comes again.
          if (this.leads) this.waiting = new Map([...waiting, ...this.waiting].slice(-most))
        })
      )
    )
  })

  /** Remembers results, and passes them on to all members but the one they are of. */
  private pass(results: Checked["results"], of?: Member): void {
    const { now, send } = this.options
    for (const { age = 0, ...result } of results) this.known.set(result.check, { result, at: now() - age })
    if (results.length === 0) return
    for (const member of this.members) if (member !== of) send(member, { _tag: "checked", results })
  }

  /** Has one member check where this machine leads, and none elsewhere. */
  private choose(): void {
    const next = this.leads ? (this.checker ?? this.members.values().next().value) : undefined
    if (next === this.checker) return
    const { send } = this.options
    if (this.checker !== undefined) send(this.checker, { _tag: "checker", isChecker: false })
    if (next !== undefined) send(next, { _tag: "checker", isChecker: true })
    this.checker = next
  }
}

const resultOf = (check: string, { outcome, reason = "" }: Found): CheckResult =>
  outcome === undefined ? { check } : { check, failure: { outcome, reason: printable(reason) } }

/** A failure, short enough to be taken. */
const cut = (failure: CheckResult["failure"]): Found =>
  failure === undefined ? {} : { outcome: failure.outcome, reason: failure.reason.slice(0, 1024) }
