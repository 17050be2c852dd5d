/**
 * Rules of who may go where, as they are written in a file. The first whose
 * conditions all hold decides.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Issue from "effect/SchemaIssue"
import * as Transformation from "effect/SchemaTransformation"
import * as Limits from "./Limits.ts"
import * as ListenAddress from "./ListenAddress.ts"
import * as Parsers from "./Parsers.ts"
import * as TargetPattern from "./TargetPattern.ts"
import * as TimeWindow from "./TimeWindow.ts"

/** Of several values of a condition, one has to fit. A condition left out always holds. */
export interface Conditions {
  readonly users?: ReadonlyArray<string>
  /** Of which the user is in one. */
  readonly groups?: ReadonlyArray<string>
  readonly clients?: ReadonlyArray<IpNetwork.IpNetwork>
  /** As the log has them. The unspecified address stands for all of the machine's. */
  readonly listeners?: ReadonlyArray<string>
  readonly commands?: ReadonlyArray<Command>
  readonly protocols?: ReadonlyArray<Parsers.ProtocolName>
  /** None at all: nothing fits. */
  readonly to?: ReadonlyArray<TargetPattern.TargetPattern>
  readonly ports?: ReadonlyArray<Parsers.PortRange>
  readonly when?: ReadonlyArray<TimeWindow.TimeWindow>
  /** Whose clocks `when` goes by; left out, the machine's. */
  readonly timezone?: DateTime.TimeZone
}

export type Command = "connect" | "bind" | "associate" | "forward"

/** A rule that has all it needs. Denies, unless it allows and does nothing else. */
export interface Rule extends Conditions {
  /** For the log. */
  readonly name?: string
  readonly allow?: true
  /** The reason, which clients and the log are told. */
  readonly deny?: true | string
  /** For those whom it allows something. */
  readonly limits?: Limits.Limits
  /** Nothing any more: `TargetFiles` has put what it says into `to`. */
  readonly "to-file"?: never
}

/** A rule as written: more of its targets may be in a file. */
export interface Written extends Omit<Rule, "to-file"> {
  readonly "to-file"?: string
}

const text = Schema.Union([Schema.String, Schema.Finite])

/** A value written as a text, or as a number that is one. */
const value = <A>(options: {
  readonly is: (u: unknown) => u is A
  readonly read: (text: string) => Option.Option<A>
  readonly write: (value: A) => string | number
  readonly expected: string
}) =>
  text.annotate({ description: options.expected }).pipe(
    Schema.decodeTo(
      Schema.declare(options.is),
      Transformation.transformEffect<A, string | number>({
        decode: (written, parsing) =>
          Option.match(options.read(String(written)), {
            onNone: () =>
              Effect.fail(new Issue.InvalidValue({ expected: options.expected }, written, parsing)),
            onSome: Effect.succeed
          }),
        encode: (value) => Effect.succeed(options.write(value))
      })
    )
  )

/** One, or a list that is not empty. */
const some = <S extends Schema.Constraint>(item: S, description: string) =>
  Schema.ArrayEnsure(item)
    .check(Schema.isNonEmpty({ expected: "one value or more" }))
    .annotate({ description })
    .pipe(Schema.optionalKey)

const isObject = (u: unknown): boolean => typeof u === "object" && u !== null

const network = value<IpNetwork.IpNetwork>({
  is: (u): u is IpNetwork.IpNetwork => isObject(u),
  read: (text) =>
    Option.flatMap(TargetPattern.fromString(text), ({ host, ports }) =>
      host._tag === "Network" && ports === undefined ? Option.some(host.network) : Option.none()
    ),
  write: (network) => TargetPattern.format({ host: { _tag: "Network", network } }),
  expected: "a network such as 10.0.0.0/8 or fd00::/8, without bits behind its prefix, or an address"
})

/** Completes the sentence "… is not …". */
export const expectedTarget =
  "a name, *.example.com for those below it, ** for all names, * for everything, an address or a network " +
  "such as 10.0.0.0/8; with :443 or :8000-8999 behind it for these ports, and IPv6 in brackets then"

const target = value<TargetPattern.TargetPattern>({
  is: (u): u is TargetPattern.TargetPattern => isObject(u),
  read: TargetPattern.fromString,
  write: TargetPattern.format,
  expected: expectedTarget
})

const portRange = value<Parsers.PortRange>({
  is: (u): u is Parsers.PortRange => Array.isArray(u),
  read: (text) => Parsers.portRange(text.includes("-") ? text : `${text}-${text}`),
  write: ([first, last]) => (first === last ? first : `${first}-${last}`),
  expected: "a port such as 443, or a range such as 8000-8999"
})

const timeWindow = value<TimeWindow.TimeWindow>({
  is: (u): u is TimeWindow.TimeWindow => isObject(u),
  read: TimeWindow.fromString,
  write: TimeWindow.format,
  expected: "days and times such as mon-fri 08:00-18:00, sat,sun or 22:00-06:00"
})

const timeZone = value<DateTime.TimeZone>({
  is: DateTime.isTimeZone,
  read: DateTime.zoneFromString,
  write: DateTime.zoneToString,
  expected: "a time zone such as Europe/Berlin, or an offset such as +02:00"
})

const listener = value<string>({
  is: (u): u is string => typeof u === "string",
  read: (text) =>
    Option.flatMap(ListenAddress.fromString(text), (at) => {
      if (at._tag === "WithOptions") return Option.none()
      const place = ListenAddress.placeOf(at)
      const isOne =
        place._tag === "UnixPathAddress" || (place._tag === "HostPort" && NetAddress.isIpAddress(place.host))
      return isOne ? Option.some(ListenAddress.format(place)) : Option.none()
    }),
  write: (listener) => listener,
  expected: "a listener as the log has it, such as 127.0.0.1:1080, [::1]:1080 or unix:/path"
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

/** One rule. To be decoded with `onExcessProperty: "error"`: a condition whose name is misspelt would always hold. */
export const schema = Schema.Struct({
  name: Schema.optionalKey(Schema.NonEmptyString.annotate({ description: "For the log" })),
  allow: Schema.optionalKey(Schema.Literal(true)),
  deny: Schema.optionalKey(
    Schema.Union([Schema.Literal(true), Schema.NonEmptyString]).annotate({
      description: "The reason, which clients and the log are told; or true",
      expected: "true or a reason"
    })
  ),
  users: some(Schema.NonEmptyString, "Who asks"),
  groups: some(Schema.NonEmptyString, "One of the groups of who asks"),
  clients: some(network, "Where the client is"),
  listeners: some(listener, "Where the client came in"),
  commands: some(Schema.Literals(["connect", "bind", "associate", "forward"]), "What is asked for"),
  protocols: some(Schema.Literals(["socks5", "socks4", "http"]), "How it is asked"),
  to: some(target, "Where to"),
  "to-file": Schema.optionalKey(
    Schema.NonEmptyString.annotate({ description: "File with more of to, one a line; # begins a comment" })
  ),
  ports: some(portRange, "At which port"),
  when: some(timeWindow, "When in the week"),
  timezone: Schema.optionalKey(timeZone),
  limits: Schema.optionalKey(Limits.schema)
}).check(allowOrDeny, zoneOfTimes) satisfies Schema.Codec<Written, unknown>

/**
 * A rule of the kind that long lists are of, as the schema reads it, and a hundred times as fast. Nothing for
 * any other, and for what is wrong.
 */
export const quick = (written: unknown): Rule | undefined => {
  if (typeof written !== "object" || written === null || Array.isArray(written)) return undefined
  const known = written as Readonly<Record<string, unknown>>
  for (const key in known) if (!quickKeys.has(key)) return undefined
  const { name, allow, deny } = known
  if (name !== undefined && !isText(name)) return undefined
  if (allow !== undefined && allow !== true) return undefined
  if (deny !== undefined && deny !== true && !isText(deny)) return undefined
  if ((allow === undefined) === (deny === undefined)) return undefined
  const rule: { -readonly [Key in keyof Rule]: Rule[Key] } = {}
  if (name !== undefined) rule.name = name
  if (allow !== undefined) rule.allow = allow
  if (deny !== undefined) rule.deny = deny
  if (known.users !== undefined) {
    const users = all(known.users, (user) => (isText(user) ? user : undefined))
    if (users === undefined) return undefined
    rule.users = users
  }
  if (known.groups !== undefined) {
    const groups = all(known.groups, (group) => (isText(group) ? group : undefined))
    if (groups === undefined) return undefined
    rule.groups = groups
  }
  if (known.to !== undefined) {
    const to = all(known.to, (target) =>
      typeof target === "string" ? Option.getOrUndefined(TargetPattern.fromString(target)) : undefined
    )
    if (to === undefined) return undefined
    rule.to = to
  }
  if (known.ports !== undefined) {
    const ports = all(known.ports, (port) =>
      typeof port === "number" ? Option.getOrUndefined(Parsers.portRange(`${port}-${port}`)) : undefined
    )
    if (ports === undefined) return undefined
    rule.ports = ports
  }
  return rule
}

const quickKeys: ReadonlySet<string> = new Set(["name", "allow", "deny", "users", "groups", "to", "ports"])

const isText = (u: unknown): u is string => typeof u === "string" && u !== ""

/** One, or each of a list that is not empty; nothing if one of them is nothing. */
const all = <A>(written: unknown, read: (item: unknown) => A | undefined): ReadonlyArray<A> | undefined => {
  if (!Array.isArray(written) || written.length === 1) {
    const value = read(Array.isArray(written) ? written[0] : written)
    // With the room of one: a list that grows takes that of seventeen, in each of very many rules.
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
export const list: Schema.Codec<
  ReadonlyArray<Written>,
  ReadonlyArray<(typeof schema)["Encoded"]>
> = Schema.Array(schema)

/** Its name, or which one it is, counted from 1. */
export const nameOf = ({ name }: Rule | Written, index: number): string => name ?? `rule ${index + 1}`

/** Whether it allows what it matches. */
export const allows = (rule: Rule | undefined): boolean => rule?.allow === true && rule.deny === undefined
