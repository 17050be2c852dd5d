/**
 * The routes of the config file:
 *
 *     - { name: office, via: http://proxy.example:3128, names: upstream }
 *     - { name: twice, via: [socks5://first.example:1080, http://second.example:3128] }
 *     - name: rotating
 *       members:
 *         - socks5://alice:secret@a.example:1080
 *         - { name: b, via: socks5://b.example:1080, weight: 3, labels: country=de }
 *       members-file: members
 *       choose: sticky
 *       sticky-by: user
 *       egress: 2001:db8:1::/64
 *       check: { target: "example.com:443", every: 30s }
 *
 *     - { name: quiet, egress: 192.0.2.10 }
 *     - { name: inside, dns: 10.0.0.53, prefer: ipv4 }
 *
 * A file of members has a URL on each line, and `name=NAME`, `weight=N` and labels behind it; # begins a comment.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as EgressSource from "../config/EgressSource.ts"
import { Files } from "../config/Files.ts"
import * as NameServer from "../config/NameServer.ts"
import * as Parsers from "../config/Parsers.ts"
import { nowhere } from "../config/Rule.ts"
import * as Schemas from "../config/Schemas.ts"
import * as Target from "../wire/Target.ts"
import { printable } from "../wire/Text.ts"
import * as Labels from "./Labels.ts"
import * as UpstreamUrl from "./UpstreamUrl.ts"

/** One way of a route. */
export interface Member {
  /** The name in the log; the URL of the last upstream, if left out. */
  readonly name?: string
  /** The upstreams, the one next to this server first. */
  readonly via: ReadonlyArray<UpstreamUrl.Upstream>
  readonly weight: number
  readonly labels: Labels.Labels
}

/** How a member is chosen for a session. */
export const choices = ["round-robin", "least-sessions", "random", "sticky"] as const

export type Choice = (typeof choices)[number]

export interface RouteOptions {
  readonly name: string
  /** The name servers that find the addresses of its targets; empty for those that all others have. */
  readonly dns: ReadonlyArray<NameServer.NameServer>
  /** The family of addresses that is tried first, if the route has name servers. */
  readonly prefer: "ipv6" | "ipv4" | undefined
  /** Whether the route has no upstreams. One whose file of members is empty is not direct. */
  readonly isDirect: boolean
  readonly members: ReadonlyArray<Member>
  /** Where the connections and datagrams of the route leave from; empty for where all others do. */
  readonly egress: ReadonlyArray<EgressSource.EgressSource>
  readonly choose: Choice
  /** What sessions have in common that get the same member: `user`, `client`, or the name of a parameter. */
  readonly stickyBy: string
  /** The target to which each member is tried, and how often. */
  readonly check: { readonly target: Target.Target; readonly every: Duration.Duration } | undefined
}

/** The names that no route can have: `upstream` is the route of `--upstream`. */
const reserved = ["direct", nowhere, "upstream"]

const name = Schemas.text({
  read: Option.liftPredicate((text: string) => /^[\w.-]{1,64}$/.test(text) && !reserved.includes(text)),
  expected: "a name of up to 64 letters, digits and . _ -, other than direct, deny and upstream",
  json: { type: "string", pattern: "^[\\w.-]{1,64}$" }
})

const url = Schemas.text({ read: UpstreamUrl.fromString, expected: UpstreamUrl.expected, isSecret: true })

const via = Schemas.list(url, { canBeEmpty: false })

const weight = Schemas.text({
  read: Parsers.count,
  expected: "a whole number above 0",
  json: { type: "integer", minimum: 1, maximum: 999_999_999 }
})

const labels = Schemas.list(
  Schemas.text({
    read: Labels.fromString,
    expected: Labels.expected,
    json: { type: "string", pattern: "^[a-zA-Z]\\w{0,31}=\\w{1,64}$" }
  }),
  { canBeEmpty: true }
)

const member: Schemas.Form<Member> = Schema.Union([
  Schemas.thenRead(
    Schema.Struct({
      ...{ name: Schema.optionalKey(name), via, weight: Schema.optionalKey(weight) },
      labels: Schema.optionalKey(labels)
    }),
    ({ weight = 1, labels = [], ...rest }) => Effect.succeed({ ...rest, weight, labels: new Map(labels) })
  ),
  Schemas.thenRead(url, (upstream) =>
    Effect.succeed<Member>({ via: [upstream], weight: 1, labels: new Map() })
  )
])

/** The target of health checks, `HOST:PORT`. */
const target = Schemas.text({
  read: (text) => {
    const [, host = "", port] = /^\[?([^[\]]*)\]?:(\d{1,5})$/.exec(text) ?? []
    const number = Number(port)
    return number > 0 && number <= 65_535
      ? Result.getSuccess(Target.fromName(new TextEncoder().encode(host), number))
      : Option.none()
  },
  expected: "HOST:PORT, such as example.com:443",
  json: { type: "string" }
})

const every = Schemas.text({
  read: Parsers.duration,
  expected: "a duration such as 30s or 5m",
  json: { type: "string" }
})

const path = Schemas.text({
  read: Parsers.path,
  expected: "the path of a file",
  json: { type: "string", minLength: 1 }
})

const egress = Schemas.list(
  Schemas.text({
    read: EgressSource.fromString,
    expected: EgressSource.expected,
    json: { type: "string", minLength: 1 }
  }),
  { canBeEmpty: false }
)

const dns = Schemas.list(
  Schemas.text({
    read: NameServer.fromString,
    expected: NameServer.expected,
    json: { type: "string", minLength: 1 }
  }),
  { canBeEmpty: false }
)

const written = Schema.Struct({
  name,
  via: Schema.optionalKey(via),
  members: Schema.optionalKey(Schemas.list(member, { canBeEmpty: false })),
  "members-file": Schema.optionalKey(path),
  egress: Schema.optionalKey(egress),
  dns: Schema.optionalKey(dns),
  prefer: Schema.optionalKey(Schemas.word(["ipv6", "ipv4"] as const, "ipv6 or ipv4")),
  names: Schema.optionalKey(Schemas.word(["here", "upstream"], "here or upstream")),
  choose: Schema.optionalKey(Schemas.word(choices, "one of round-robin, least-sessions, random and sticky")),
  "sticky-by": Schema.optionalKey(name),
  check: Schema.optionalKey(Schema.Struct({ target, every: Schema.optionalKey(every) }))
})

type Written = Schema.Schema.Type<typeof written>

const problem = (key: string, message: string) =>
  new SchemaIssue.Pointer([key], new SchemaIssue.InvalidValue({ message }))

/** The route of `routes:`, with the members of its file. */
const route: Schemas.Form<RouteOptions> = Schemas.thenRead(written, (options) =>
  Effect.gen(function* () {
    const { name, via, names, choose, check } = options
    const pooled = options.members !== undefined || options["members-file"] !== undefined
    const isDirect = (options.egress ?? options.dns) !== undefined && via === undefined && !pooled
    if (!isDirect && (via !== undefined) === pooled) {
      const expected = "a route has either via, or members or members-file, or egress or dns alone"
      return yield* Effect.fail(problem("name", expected))
    }
    const useless =
      isDirect &&
      (["names", "choose", "sticky-by", "check"] as const).find((key) => options[key] !== undefined)
    if (useless) return yield* Effect.fail(problem(useless, `${useless} is for a route through an upstream`))
    if (options.prefer !== undefined && options.dns === undefined) {
      return yield* Effect.fail(problem("prefer", "prefer is for a route with dns"))
    }
    const wrong = onlyOfPools(options, pooled)
    if (wrong) return yield* Effect.fail(wrong)
    const members: ReadonlyArray<Member> = via
      ? [{ via, weight: 1, labels: new Map() }]
      : [...(options.members ?? []), ...(yield* ofFile(options))]
    return {
      name,
      isDirect,
      members: names === undefined ? members : members.map((each) => sending(each, names === "upstream")),
      egress: options.egress ?? [],
      dns: options.dns ?? [],
      prefer: options.prefer,
      choose: choose ?? "round-robin",
      stickyBy: options["sticky-by"] ?? "user",
      check: check && { target: check.target, every: check.every ?? Duration.seconds(30) }
    }
  })
)

const onlyOfPools = (options: Written, isPool: boolean): SchemaIssue.Issue | undefined => {
  const { choose, "sticky-by": stickyBy } = options
  if (!isPool && choose !== undefined) return problem("choose", "choose is for a route with members")
  if (stickyBy !== undefined && choose !== "sticky")
    return problem("sticky-by", "sticky-by is for choose: sticky")
  return undefined
}

/** The member, whose last upstream gets the names of targets, or addresses. */
const sending = ({ via, ...rest }: Member, sendsNames: boolean): Member => ({
  ...rest,
  via: [...via.slice(0, -1), { ...via[via.length - 1]!, sendsNames }]
})

const ofFile = ({
  "members-file": file
}: Written): Effect.Effect<ReadonlyArray<Member>, SchemaIssue.Issue, Files> =>
  file === undefined
    ? Effect.succeed([])
    : Files.use(({ read }) => read(file)).pipe(
        Effect.mapError((reason) => problem("members-file", `"${printable(file)}" ${reason}`)),
        Effect.flatMap((text) => {
          const members = parse(text)
          return Result.isSuccess(members)
            ? Effect.succeed(members.success)
            : Effect.fail(problem("members-file", `"${printable(file)}": ${members.failure}`))
        })
      )

/** The members in the text of a file. Fails with the first wrong line, of which nothing is shown. */
export const parse = (text: string): Result.Result<ReadonlyArray<Member>, string> => {
  const members: Array<Member> = []
  for (const [index, line] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const [url, ...options] = line
      .replace(/(?:^|\s)#.*$/, "")
      .split(/\s+/)
      .filter((part) => part !== "")
    if (url === undefined) continue
    const upstream = Option.getOrUndefined(UpstreamUrl.fromString(url))
    const known = new Map(options.map((option) => option.split("=", 2) as [string, string]))
    const weight = Option.getOrUndefined(Parsers.count(known.get("weight") ?? "1"))
    const label = known.get("name")
    const rest = options.filter((option) => !/^(?:weight|name)=/.test(option)).map(Labels.fromString)
    const labels = rest.flatMap(Option.toArray)
    if (upstream === undefined || weight === undefined || labels.length < rest.length || label === "") {
      return Result.fail(
        `line ${index + 1} is not a URL of an upstream, with weight=N, name=NAME and labels such as country=de ` +
          "behind it if wanted"
      )
    }
    members.push({
      via: [upstream],
      weight,
      labels: new Map(labels),
      ...(label !== undefined && { name: label })
    })
  }
  return Result.succeed(members)
}

/** The schema of `routes:`. */
export const form = Schemas.list(route, { canBeEmpty: true })
