/**
 * Mistakes in rules that can each be read: names that do not exist, rules that never match.
 */
import * as DateTime from "effect/DateTime"
import * as Equal from "effect/Equal"
import type * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Slices from "../base/Slices.ts"
import { printable } from "../wire/Text.ts"
import * as Conditions from "./Conditions.ts"
import * as ListenAddress from "./ListenAddress.ts"
import { allows, nameOf, type Rule } from "./Rule.ts"
import { having, type Rules } from "./RuleTable.ts"

/** The users and groups that exist; undefined where that is not known. */
interface Whom {
  readonly users?: Iterable<string> | undefined
  readonly groups?: Iterable<string> | undefined
}

/** A name in a rule that does not exist: "… is not …". */
interface Problem {
  /** Where the name is in the list of rules. */
  readonly path: ReadonlyArray<PropertyKey>
  readonly value: string
  readonly expected: string
}

/** Names of users and groups that do not exist, and are most likely misspelt. Such rules are refused. */
export function* problems(rules: Rules, whom: Whom): Slices.Work<ReadonlyArray<Problem>> {
  const keys = Conditions.list.flatMap(([key, { existing }]) => (existing ? [key] : []))
  if (having(rules, ...keys).next().done) return []
  const known = {
    users: whom.users && (yield* Slices.set(whom.users)),
    groups: whom.groups && (yield* Slices.set(whom.groups))
  }
  return yield* found(having(rules, ...keys), (rule, index) =>
    Conditions.list.flatMap(([key, { existing, format }]) => {
      const names = existing && known[existing.among]
      if (names === undefined) return []
      return (rule[key] ?? []).flatMap((value, position) => {
        const name = format(value)
        if (names.has(name)) return []
        const what = `${key.replace(/s$/, "")} "${printable(name)}" of ${nameOf(rule, index)}`
        return [{ path: [index, key, position], value: what, expected: existing!.expected }]
      })
    })
  )
}

/** Limits of rules that deny, which have no effect. */
export const idle = (rules: Rules): Slices.Work<ReadonlyArray<string>> =>
  found(having(rules, "limits"), (rule, index) =>
    allows(rule) ? [] : [`${nameOf(rule, index)} denies, so its limits have no effect`]
  )

/** Rules for listeners that the settings do not have, as far as the addresses are known before listening. */
export function* withoutListener(
  rules: Rules,
  listen: ReadonlyArray<ListenAddress.ListenAddress>
): Slices.Work<ReadonlyArray<string>> {
  const places = listen.map(ListenAddress.endpointOf).map(ListenAddress.placeOf)
  return yield* found(having(rules, "listeners"), (rule, index) =>
    (rule.listeners ?? [])
      .filter((listener) => !places.some((place) => canBe(place, listener)))
      .map(
        (listener) => `${nameOf(rule, index)} is for the listener ${printable(listener)}, and there is none`
      )
  )
}

function* found<A>(
  rules: Iterable<readonly [index: number, rule: Rule]>,
  find: (rule: Rule, index: number) => ReadonlyArray<A>
): Slices.Work<ReadonlyArray<A>> {
  const found: Array<A> = []
  let count = 0
  for (const [index, rule] of rules) {
    found.push(...find(rule, index))
    if ((++count & 63) === 0) yield
  }
  return found
}

/** Whether a listener at this place can have that name. */
const canBe = (place: ListenAddress.Place, listener: string): boolean => {
  if (place._tag === "Systemd") return true
  if (place._tag === "UnixPathAddress") return ListenAddress.format(place) === listener
  const named = Option.getOrUndefined(ListenAddress.fromString(listener))
  if (named?._tag !== "HostPort") return false
  const isAnywhere = ({ host }: Host.HostPort) =>
    !NetAddress.isIpAddress(host) || NetAddress.isUnspecified(host)
  return (
    (place.port === 0 || place.port === named.port) &&
    (isAnywhere(place) || isAnywhere(named) || Equal.equals(place.host, named.host))
  )
}

/**
 * Rules that never match, because an earlier rule matches whenever they do, or because of their own conditions.
 * Does not find rules that only several earlier rules cover together. Takes a second for 100,000 rules.
 */
export const unmatched = (rules: ReadonlyArray<Rule>): ReadonlyArray<string> => {
  const same = new Map<string, number>()
  const wide: Array<number> = []
  return rules.flatMap((rule, index) => {
    const name = nameOf(rule, index)
    const key = JSON.stringify(conditionsOf(rule))
    const earlier = same.get(key)
    const candidates = [...(earlier === undefined ? [] : [earlier]), ...wide]
    const by = candidates.sort((a, b) => a - b).find((number) => covers(rules[number]!, rule))
    if (earlier === undefined) same.set(key, index)
    if (wide.length < 50 && sizeOf(rule) <= 8) wide.push(index)
    if (isNever(rule)) return [`${name} never matches: there is no time, or no target, that it is for`]
    return by === undefined ? [] : [`${name} never matches: ${nameOf(rules[by]!, by)} has decided before`]
  })
}

const conditionsOf = ({ name: _, allow: __, deny: ___, limits: ____, route: _____, ...conditions }: Rule) =>
  conditions

/** How many values a rule has. */
const sizeOf = (rule: Rule): number =>
  Conditions.list.reduce((size, [key]) => size + (rule[key]?.length ?? 0), 0)

const isNever = (rule: Rule): boolean =>
  Conditions.list.some(([key, { isNever }]) => {
    const values = rule[key]
    return values !== undefined && isNever?.(values) === true
  })

/** Whether one rule matches every access that the other matches. */
const covers = (one: Rule, other: Rule): boolean =>
  Conditions.list.every(([key, { includes }]) => all(one[key], other[key], includes)) &&
  (one.when === undefined || zoneOf(one) === zoneOf(other))

/** Whether one of `ones` includes each of `others`; also if there is no condition `ones`. */
const all = <A>(
  ones: ReadonlyArray<A> | undefined,
  others: ReadonlyArray<A> | undefined,
  includes: (one: A, other: A) => boolean
): boolean =>
  ones === undefined || (others?.every((other) => ones.some((one) => includes(one, other))) ?? false)

const zoneOf = ({ timezone }: Rule): string => (timezone ? DateTime.zoneToString(timezone) : "local")
