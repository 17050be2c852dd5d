/**
 * Why rules decide as they do: each rule in turn, and what kept it from
 * matching, until the one that decides. For people; it looks at every rule.
 */
import * as DateTime from "effect/DateTime"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import type { PortRange } from "../config/Parsers.ts"
import { allows, nameOf, type Rule } from "../config/Rule.ts"
import * as TargetPattern from "../config/TargetPattern.ts"
import * as TimeWindow from "../config/TimeWindow.ts"
import { printable } from "../wire/Text.ts"
import type { Access } from "./Access.ts"
import * as Calendar from "./Calendar.ts"
import * as EmbeddedIpv4 from "./EmbeddedIpv4.ts"

/** A rule that was looked at. */
export interface Step {
  readonly rule: string
  readonly verdict: "allow" | "deny"
  /** `maybe`: that depends on an address, or on a target, that is not known. */
  readonly matches: "yes" | "no" | "maybe"
  /** The first condition that does not hold, or the first of which that cannot be told. */
  readonly condition?: string
}

/** Up to the first rule that matches, at a time in milliseconds since the epoch. */
export const explain = (
  rules: ReadonlyArray<Rule>,
  access: Access,
  address: NetAddress.IpAddress | undefined,
  now: number
): ReadonlyArray<Step> => {
  const steps: Array<Step> = []
  for (const [index, rule] of rules.entries()) {
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
  const { identity, client, listener, command, protocol, target } = access
  const ask = <A>(
    name: string,
    values: ReadonlyArray<A> | undefined,
    format: (value: A) => string,
    holds: (value: A) => Answer["holds"] | boolean
  ): ReadonlyArray<Answer> => {
    if (values === undefined) return []
    const answers = values.map((value) => holds(value))
    const text = `${name}: ${listed(values.map(format))}`
    if (answers.some((answer) => answer === true || answer === "yes")) return [{ text, holds: "yes" }]
    return [{ text, holds: answers.includes("maybe") ? "maybe" : "no" }]
  }
  const inPorts = (range: PortRange) =>
    target === undefined ? "maybe" : range[0] <= target.port && target.port <= range[1]
  const word = (text: string) => text
  return [
    ...ask("users", rule.users, word, (user) => printable(user) === identity.user),
    ...ask("groups", rule.groups, word, (group) => identity.groups?.includes(group) === true),
    ...ask("clients", rule.clients, IpNetwork.format, (network) =>
      client === undefined ? false : IpNetwork.contains(network, client)
    ),
    ...ask("listeners", rule.listeners, word, (name) => isListener(name, listener)),
    ...ask("commands", rule.commands, word, (name) => name.toUpperCase() === command),
    ...ask("protocols", rule.protocols, word, (name) => name.toUpperCase() === protocol),
    ...ask("to", rule.to, TargetPattern.format, (pattern) => isTo(pattern, rule, access, address)),
    ...ask(
      "ports",
      rule.ports,
      ([first, last]) => (first === last ? `${first}` : `${first}-${last}`),
      inPorts
    ),
    ...ask("when", rule.when, TimeWindow.format, (window) =>
      Calendar.isIn(window, Calendar.clock(rule.timezone ?? DateTime.zoneMakeLocal())(now))
    )
  ]
}

/** Whether a listener is the one named, or one of those that an unspecified address stands for. */
const isListener = (name: string, listener: string): boolean => {
  if (name === listener) return true
  const [, host, port] = /^(0\.0\.0\.0|\[::\])(:\d+)$/.exec(name) ?? []
  const isWide = host === "[::]" || (host !== undefined && !listener.startsWith("["))
  return isWide && !listener.startsWith("unix:") && listener.endsWith(port!)
}

const isTo = (
  pattern: TargetPattern.TargetPattern,
  rule: Rule,
  { target }: Access,
  address: NetAddress.IpAddress | undefined
): Answer["holds"] | boolean => {
  const { host, ports } = pattern
  if (target === undefined) return host._tag === "Any" && ports === undefined ? "yes" : "maybe"
  if (!TargetPattern.matchesPort(pattern, target.port)) return "no"
  const isName = !NetAddress.isIpAddress(target.host)
  if (host._tag === "Any") return "yes"
  if (host._tag !== "Network") return isName && TargetPattern.matchesName(host, String(target.host))
  const where = address ?? (NetAddress.isIpAddress(target.host) ? target.host : undefined)
  if (where === undefined) return "maybe"
  const all = allows(rule) ? [where] : [where, ...EmbeddedIpv4.within(where)]
  return all.some((each) => IpNetwork.contains(host.network, each))
}

/** The first few of them. */
const listed = (texts: ReadonlyArray<string>): string =>
  texts.length > 5 ? `${texts.slice(0, 4).join(", ")} and ${texts.length - 4} more` : texts.join(", ")
