/**
 * What the rules would say of an access, and why, in lines for people.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type { Rule } from "../config/Rule.ts"
import type { ResolveError } from "../Errors.ts"
import { addressesOf, type Resolver } from "../network/Resolver.ts"
import type { Access } from "../policy/Access.ts"
import type { Decision } from "../policy/Decision.ts"
import * as Explain from "../policy/Explain.ts"
import type { Question } from "./Question.ts"

/** What is explained: the rules, and what judges by them, with whatever else has a say. */
export interface Inputs {
  readonly rules: ReadonlyArray<Rule>
  readonly judge: (access: Access, address: NetAddress.IpAddress | undefined, now: number) => Decision
}

export interface Explanation {
  readonly lines: ReadonlyArray<string>
  /** 0 if it is allowed, to one address at least, and 1 if not. */
  readonly code: 0 | 1
}

/** Judges as the server does: first what is asked for, then each of its addresses. */
export const explain = Effect.fnUntraced(function* (
  { rules, judge }: Inputs,
  { access, address, at }: Question
): Effect.fn.Return<Explanation, ResolveError, Resolver> {
  const now = at ?? (yield* Clock.currentTimeMillis)
  const isAllowed = (where: NetAddress.IpAddress | undefined) => judge(access, where, now).verdict !== "deny"
  const considered = (where: NetAddress.IpAddress | undefined) => [
    ...listed(Explain.explain(rules, access, where, now)),
    verdict(judge(access, where, now))
  ]
  const known = isAllowed(undefined) ? yield* addressesIn(access, address) : [undefined]
  return {
    lines: known.flatMap((where) => [
      ...(where === undefined ? [] : [`At ${NetAddress.formatIp(where)}:`]),
      ...considered(where)
    ]),
    code: known.some(isAllowed) ? 0 : 1
  }
})

/** The addresses to judge; none is known of what has no target. */
const addressesIn = Effect.fnUntraced(function* (
  { target }: Access,
  address: NetAddress.IpAddress | undefined
): Effect.fn.Return<ReadonlyArray<NetAddress.IpAddress | undefined>, ResolveError, Resolver> {
  if (address !== undefined || target === undefined) return [address]
  const found = yield* addressesOf(target.host)
  return found.map((each) => NetAddress.toCanonical(each))
})

/** A line for each rule, but of very many only for the last few. */
const listed = (steps: ReadonlyArray<Explain.Step>): ReadonlyArray<string> => {
  const left = Math.max(0, steps.length - most)
  const maybe = steps.slice(0, left).filter(({ matches }) => matches === "maybe").length
  return [
    ...(left === 0 ? [] : [`  ${left} rules before: ${left - maybe} do not match, ${maybe} may`]),
    ...steps.slice(left).map(line)
  ]
}

const most = 20

const line = ({ rule, verdict, matches, condition }: Explain.Step): string => {
  if (matches === "yes") return `  ${rule}: matches`
  return matches === "no"
    ? `  ${rule}: does not match (${condition})`
    : `  ${rule}: may match, and ${verdict === "allow" ? "allow" : "deny"} (${condition})`
}

const verdict = ({ verdict, rule, reason }: Decision): string => {
  if (verdict === "undecided") return "Undecided: that depends on each target"
  return `${verdict === "allow" ? "Allowed" : "Denied"} by: ${rule}${reason === undefined ? "" : ` (${reason})`}`
}
