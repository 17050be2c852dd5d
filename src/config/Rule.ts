/**
 * Rules of access, as they are written in a file. The first rule whose
 * conditions all hold decides.
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import * as AllConditions from "./Conditions.ts"
import { value } from "./conditions/Condition.ts"
import * as Limits from "./Limits.ts"

/** The conditions of a rule. */
export interface Conditions extends AllConditions.Values {
  /** The time zone of `when`; left out, the machine's. */
  readonly timezone?: DateTime.TimeZone
}

/** A rule, complete with the targets of its file. Denies, unless it has `allow` and no `deny`. */
export interface Rule extends Conditions {
  /** The rule's name in the log. */
  readonly name?: string
  readonly allow?: true
  /** The reason, for clients and the log; or true. */
  readonly deny?: true | string
  /** The limits of the sessions that the rule allows. */
  readonly limits?: Limits.Limits
  /** The name of the route to the targets that the rule allows. */
  readonly route?: string
  /** Never present: `TargetFiles` has put the targets of the file into `to`. */
  readonly "to-file"?: never
}

/** A rule as written, with the file of more targets. */
export interface Written extends Omit<Rule, "to-file"> {
  readonly "to-file"?: string
}

const timeZone = value<DateTime.TimeZone>({
  read: DateTime.zoneFromString,
  expected: "a time zone such as Europe/Berlin, or an offset such as +02:00"
})

const allowOrDeny = Schema.makeFilter<Written>(
  ({ allow, deny }) =>
    (allow === undefined) !== (deny === undefined) || "say either allow: true, or deny: true or its reason",
  { identifier: "AllowOrDeny" }
)

const zoneOfTimes = Schema.makeFilter<Written>(
  ({ when, timezone }) =>
    timezone === undefined ||
    when !== undefined || { path: ["timezone"], issue: "is that of when: say that too" }
)

const routeOfAllowed = Schema.makeFilter<Written>(
  ({ allow, route }) =>
    route === undefined || allow !== undefined || { path: ["route"], issue: "is for a rule with allow: true" }
)

/** One rule. To be decoded with `onExcessProperty: "error"`: a condition whose name is misspelt would always hold. */
export const schema = Schema.Struct({
  name: Schema.optionalKey(Schema.NonEmptyString.annotate({ description: "For the log" })),
  allow: Schema.optionalKey(
    Schema.Literal(true).annotate({ expected: "true, its only value; deny: true denies" })
  ),
  deny: Schema.optionalKey(
    Schema.Union([Schema.Literal(true), Schema.NonEmptyString]).annotate({
      description: "The reason, which clients and the log are told; or true",
      expected: "true or a reason"
    })
  ),
  ...AllConditions.fields,
  "to-file": Schema.optionalKey(
    Schema.NonEmptyString.annotate({ description: "File with more of to, one a line; # begins a comment" })
  ),
  timezone: Schema.optionalKey(timeZone),
  limits: Schema.optionalKey(Limits.schema),
  route: Schema.optionalKey(
    Schema.NonEmptyString.annotate({ description: "The route to the targets: one of routes, direct or deny" })
  )
}).check(allowOrDeny, zoneOfTimes, routeOfAllowed) satisfies Schema.Decoder<Written>

/**
 * The same as the schema, a hundred times as fast, for rules as long lists have them. Undefined for any other
 * rule, and for every mistake.
 */
export const quick = (written: unknown): Rule | undefined => {
  if (typeof written !== "object" || written === null || Array.isArray(written)) return undefined
  const known = written as Readonly<Record<string, unknown>>
  for (const key in known) if (!quickKeys.has(key)) return undefined
  const { name, allow, deny, route } = known
  if (name !== undefined && !isText(name)) return undefined
  if (allow !== undefined && allow !== true) return undefined
  if (deny !== undefined && deny !== true && !isText(deny)) return undefined
  if ((allow === undefined) === (deny === undefined)) return undefined
  if (route !== undefined && (!isText(route) || allow === undefined)) return undefined
  const rule: Record<string, unknown> = {}
  if (name !== undefined) rule.name = name
  if (allow !== undefined) rule.allow = allow
  if (deny !== undefined) rule.deny = deny
  if (route !== undefined) rule.route = route
  for (const [key, read] of quickConditions) {
    const written = known[key]
    if (written === undefined) continue
    const values = all(written, read)
    if (values === undefined) return undefined
    rule[key] = values
  }
  return rule as Rule
}

const quickConditions = AllConditions.list.flatMap(([key, { quick }]) =>
  quick === undefined ? [] : [[key, quick] as const]
)

const quickKeys: ReadonlySet<string> = new Set([
  "name",
  "allow",
  "deny",
  "route",
  ...quickConditions.map(([key]) => key)
])

const isText = (u: unknown): u is string => typeof u === "string" && u !== ""

/** The values of one item, or of a list that is not empty; undefined if an item cannot be read. */
const all = <A>(written: unknown, read: (item: unknown) => A | undefined): ReadonlyArray<A> | undefined => {
  if (!Array.isArray(written) || written.length === 1) {
    const value = read(Array.isArray(written) ? written[0] : written)
    // Not by `push`, which reserves room for seventeen items, in each of very many rules.
    return value === undefined ? undefined : [value]
  }
  const values = new Array<A>(written.length)
  for (let i = 0; i < written.length; i++) {
    const value = read(written[i])
    if (value === undefined) return undefined
    values[i] = value
  }
  return values.length === 0 ? undefined : values
}

/** `rules:` of the file. */
export const list: Schema.Decoder<ReadonlyArray<Written>> = Schema.Array(schema)

/** The name of a rule, or its position in the list, counted from 1. */
export const nameOf = ({ name }: Rule | Written, index: number): string => name ?? `rule ${index + 1}`

/** The route that leads nowhere. */
export const nowhere = "deny"

/** Whether a rule allows the accesses that it matches. */
export const allows = (rule: Rule | undefined): boolean =>
  rule?.allow === true && rule.deny === undefined && rule.route !== nowhere
