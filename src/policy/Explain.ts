/**
 * The reason for a decision: each rule in turn, with the condition that does not hold,
 * up to the rule that decides. For the command `explain`; it looks at every rule.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Conditions from "../config/Conditions.ts"
import { allows, nameOf, type Rule } from "../config/Rule.ts"
import type { Access } from "./Access.ts"
import * as EmbeddedIpv4 from "./EmbeddedIpv4.ts"

/** A rule that was looked at. */
export interface Step {
  readonly rule: string
  readonly verdict: "allow" | "deny"
  /** `maybe`: it depends on an address or a target that is not known. */
  readonly matches: "yes" | "no" | "maybe"
  /** The first condition that does not hold, or that may not hold. */
  readonly condition?: string
}

/** Up to the first rule that matches, at a time in milliseconds since the epoch. */
export const explain = (
  rules: Iterable<Rule>,
  access: Access,
  address: NetAddress.IpAddress | undefined,
  now: number
): ReadonlyArray<Step> => {
  const steps: Array<Step> = []
  for (const rule of rules) {
    const index = steps.length
    const answers = conditions(rule, access, address, now)
    const decisive =
      answers.find(({ holds }) => holds === "no") ?? answers.find(({ holds }) => holds === "maybe")
    steps.push({
      rule: nameOf(rule, index),
      verdict: allows(rule) ? "allow" : "deny",
      matches: decisive?.holds ?? "yes",
      ...(decisive && { condition: decisive.text })
    })
    if (decisive === undefined) break
  }
  return steps
}

interface Answer {
  /** As it could be written in a file. */
  readonly text: string
  readonly holds: "yes" | "no" | "maybe"
}

const conditions = (
  rule: Rule,
  access: Access,
  address: NetAddress.IpAddress | undefined,
  now: number
): ReadonlyArray<Answer> => {
  const where = address ?? access.target?.host
  const circumstances = {
    addresses: NetAddress.isIpAddress(where)
      ? allows(rule)
        ? [where]
        : [where, ...EmbeddedIpv4.within(where)]
      : [],
    now,
    timezone: rule.timezone
  }
  return Conditions.list.flatMap(([key, { format, holds }]): ReadonlyArray<Answer> => {
    const values = rule[key]
    if (values === undefined) return []
    const answers = values.map((value) => holds(value, access, circumstances))
    const text = `${key}: ${listed(values.map(format))}`
    if (answers.includes(true)) return [{ text, holds: "yes" }]
    return [{ text, holds: answers.includes("maybe") ? "maybe" : "no" }]
  })
}

/** The first few of them. */
const listed = (texts: ReadonlyArray<string>): string =>
  texts.length > 5 ? `${texts.slice(0, 4).join(", ")} and ${texts.length - 4} more` : texts.join(", ")
