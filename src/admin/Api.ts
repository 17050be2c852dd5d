/**
 * The admin API, as its server, its clients and its OpenAPI document have it. Times are milliseconds since the epoch,
 * and sizes bytes. Lists are arrays; those that have pages say in `x-total-count` how many there are in all.
 */

import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"

/** The most rows of an answer. */
export const largestPage = 1000

const text = Schema.String.check(Schema.isMaxLength(1024))
const orNull = Schema.NullOr(Schema.String)

// Errors ----------------------------------------------------------------------

const failure = { message: Schema.String }

export class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", failure, {
  httpApiStatus: 401
}) {}
/** What was named is not there. */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", failure, { httpApiStatus: 404 }) {}
/** The request cannot be used: the message says what would be right. */
export class Invalid extends Schema.TaggedError<Invalid>()("Invalid", failure, { httpApiStatus: 422 }) {}
/** This server does not offer the operation. */
export class NotOffered extends Schema.TaggedError<NotOffered>()("NotOffered", failure, {
  httpApiStatus: 409
}) {}

/** What is to be added is there already. */
export class Conflict extends Schema.TaggedError<Conflict>()("Conflict", failure, { httpApiStatus: 409 }) {}
/** A store cannot be read or written at present: its disk may be full, or its file read-only. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", failure, {
  httpApiStatus: 503
}) {}

/** The bearer token of `--admin-token`. */
export class Bearer extends HttpApiMiddleware.Service<Bearer>()("effect-socks/admin/Bearer", {
  requiredForClient: true,
  security: { bearer: HttpApiSecurity.bearer },
  error: Unauthorized
}) {}

// Sessions ---------------------------------------------------------------------

/** An open session. A field is null while it is not known. */
export const SessionRow = Schema.Struct({
  id: Schema.Int,
  user: orNull,
  client: Schema.String,
  listener: Schema.String,
  protocol: orNull,
  command: orNull,
  target: orNull,
  address: orNull.annotate({ description: "The target's address that the session uses" }),
  rule: orNull.annotate({ description: "The rule that allows the address" }),
  route: orNull.annotate({ description: "The route by which the session reaches the target" }),
  startedAt: Schema.Int,
  sent: Schema.Int.annotate({ description: "Bytes to the target" }),
  received: Schema.Int.annotate({ description: "Bytes from the target" })
})
export type SessionRow = typeof SessionRow.Type

export const sortKeys = ["startedAt", "sent", "received", "user", "client", "target", "id"] as const

/** Which sessions, in which order, and which of them. */
export const sessionQuery = {
  user: Schema.optionalKey(text),
  client: Schema.optionalKey(text).annotate({ description: "An address, or HOST:PORT" }),
  target: Schema.optionalKey(text).annotate({ description: "A host, or HOST:PORT" }),
  protocol: Schema.optionalKey(text),
  command: Schema.optionalKey(text),
  rule: Schema.optionalKey(text),
  search: Schema.optionalKey(text).annotate({ description: "A part of any text of the session" }),
  sort: Schema.optionalKey(Schema.Literals(sortKeys)),
  order: Schema.optionalKey(Schema.Literals(["asc", "desc"])),
  offset: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e9 }))),
  limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: largestPage })))
}
export type SessionQuery = Schema.Struct.Type<typeof sessionQuery>

const paged = <S extends Schema.Top>(row: S) =>
  HttpApiSchema.WithHeaders(Schema.Array(row), { "x-total-count": Schema.NumberFromString })

const id = { id: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) }

export class SessionsGroup extends HttpApiGroup.make("sessions")
  .add(
    HttpApiEndpoint.get("list", "/sessions", { query: sessionQuery, success: paged(SessionRow) }),
    HttpApiEndpoint.get("get", "/sessions/:id", { params: id, success: SessionRow, error: NotFound }),
    HttpApiEndpoint.delete("end", "/sessions/:id", {
      params: id,
      success: HttpApiSchema.NoContent,
      error: NotFound
    })
  )
  .middleware(Bearer)
  .prefix("/api") {}

// Bans -------------------------------------------------------------------------

export const BanRow = Schema.Struct({
  network: Schema.String,
  until: Schema.Int,
  reason: Schema.String,
  failures: Schema.Int.annotate({
    description: "Number of failed logins that led to the ban; 0 for a ban by an operator"
  })
})
export type BanRow = typeof BanRow.Type

const banQuery = {
  search: Schema.optionalKey(text).annotate({ description: "A part of the network or of the reason" }),
  offset: sessionQuery.offset,
  limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e9 }))).annotate({
    description: "All bans by default"
  })
}

export class BansGroup extends HttpApiGroup.make("bans")
  .add(
    HttpApiEndpoint.get("list", "/bans", { query: banQuery, success: paged(BanRow) }),
    HttpApiEndpoint.post("add", "/bans", {
      payload: Schema.Struct({
        network: text.annotate({ description: "A network such as 203.0.113.0/24, or an address" }),
        duration: Schema.optionalKey(text).annotate({ description: "Such as 10m or 1h; 1h by default" }),
        reason: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(200)))
      }),
      success: BanRow.pipe(HttpApiSchema.status(201)),
      error: Invalid
    }),
    HttpApiEndpoint.delete("lift", "/bans/:network", {
      params: { network: text },
      success: Schema.Array(BanRow).annotate({ description: "The bans that were lifted" }),
      error: [Invalid, NotFound]
    })
  )
  .middleware(Bearer)
  .prefix("/api") {}

// Users ------------------------------------------------------------------------

export const UserRow = Schema.Struct({
  name: Schema.String,
  enabled: Schema.Boolean,
  groups: Schema.Array(Schema.String),
  expires: Schema.NullOr(Schema.Int),
  stored: Schema.Boolean.annotate({
    description: "Whether the user is in a store, and can be changed here: others come from the settings"
  }),
  sessions: Schema.Int.annotate({ description: "Open sessions" }),
  sent: Schema.Int.annotate({ description: "Bytes of the open sessions to targets" }),
  received: Schema.Int.annotate({ description: "Bytes of the open sessions from targets" })
})
export type UserRow = typeof UserRow.Type

export const UsageRow = Schema.Struct({
  day: Schema.String.annotate({
    description: "In UTC, such as 2026-11-22; a month such as 2026-08, where its days were summed up"
  }),
  user: orNull.annotate({ description: "Null for all sessions without a user" }),
  sent: Schema.Int.annotate({ description: "Bytes to targets" }),
  received: Schema.Int.annotate({ description: "Bytes from targets" }),
  sessions: Schema.Int.annotate({ description: "Sessions that began" }),
  seconds: Schema.Number.annotate({ description: "Time of all sessions together" })
})
export type UsageRow = typeof UsageRow.Type

const userErrors = [NotFound, NotOffered, Invalid, Unavailable] as const
const name = { name: text }
const password = Schema.Redacted(text).annotate({ description: "1 to 255 bytes" })

export class UsersGroup extends HttpApiGroup.make("users")
  .add(
    HttpApiEndpoint.get("list", "/users", {
      query: {
        search: Schema.optionalKey(text),
        offset: sessionQuery.offset,
        limit: sessionQuery.limit
      },
      success: paged(UserRow),
      error: Unavailable
    }),
    HttpApiEndpoint.post("add", "/users", {
      payload: Schema.Struct({
        name: text,
        password,
        groups: Schema.optionalKey(Schema.Array(text).check(Schema.isMaxLength(100)))
      }),
      success: HttpApiSchema.Created,
      error: [NotOffered, Invalid, Conflict, Unavailable]
    }),
    HttpApiEndpoint.patch("change", "/users/:name", {
      params: name,
      payload: Schema.Struct({
        enabled: Schema.optionalKey(Schema.Boolean).annotate({
          description: "Whether the user may log in. If not, the user's sessions end"
        }),
        password: Schema.optionalKey(password)
      }),
      success: HttpApiSchema.NoContent,
      error: userErrors
    }),
    HttpApiEndpoint.delete("remove", "/users/:name", {
      params: name,
      success: HttpApiSchema.NoContent,
      error: userErrors
    }),
    HttpApiEndpoint.get("usage", "/usage", {
      query: {
        user: Schema.optionalKey(text),
        from: Schema.optionalKey(text).annotate({ description: "First day; by default that of this month" }),
        to: Schema.optionalKey(text).annotate({ description: "Last day; by default today" })
      },
      success: Schema.Array(UsageRow),
      error: [NotOffered, Invalid]
    })
  )
  .middleware(Bearer)
  .prefix("/api") {}

// The server -------------------------------------------------------------------

const totals = { sessions: Schema.Int, sent: Schema.Int, received: Schema.Int }

/** What the open sessions of one user, target or other key have in common. */
export const TrafficRow = Schema.Struct({ key: orNull, ...totals })
export type TrafficRow = typeof TrafficRow.Type

export const Status = Schema.Struct({
  version: Schema.String,
  startedAt: Schema.Int,
  ready: Schema.Boolean,
  draining: Schema.Boolean,
  listeners: Schema.Array(Schema.String),
  asksPassword: Schema.Boolean,
  fleet: Schema.optionalKey(Schema.Boolean).annotate({ description: "Whether this is a machine of a fleet" }),
  leads: Schema.optionalKey(Schema.Boolean).annotate({
    description: "Whether this machine leads its fleet, with --fleet-leader"
  }),
  changesUsers: Schema.Boolean.annotate({ description: "Whether users can be added, changed and removed" }),
  bans: Schema.Int,
  sessions: Schema.Int,
  associations: Schema.Int,
  handshakes: Schema.Int,
  descriptors: Schema.Int,
  workers: Schema.Array(Schema.Struct({ pid: Schema.Int, sessions: Schema.Int }))
})
export type Status = typeof Status.Type

/** The bytes of all sessions so far, and the open sessions, at one moment. */
export const Sample = Schema.Struct({ at: Schema.Int, ...totals })
export type Sample = typeof Sample.Type

export const Limit = Schema.Struct({
  name: Schema.String,
  value: Schema.String,
  used: Schema.NullOr(Schema.Int)
})
export type Limit = typeof Limit.Type

export const SettingRow = Schema.Struct({
  name: Schema.String,
  value: Schema.String,
  isDefault: Schema.Boolean,
  description: Schema.String
})
export type SettingRow = typeof SettingRow.Type

/** An access to be judged, in the words of `effect-socks explain`. */
export const Question = Schema.Struct({
  to: Schema.optionalKey(text),
  user: Schema.optionalKey(text),
  groups: Schema.optionalKey(Schema.Array(text).check(Schema.isMaxLength(100))),
  client: Schema.optionalKey(text),
  listener: Schema.optionalKey(text),
  command: Schema.optionalKey(Schema.Literals(["connect", "bind", "associate", "forward"])),
  protocol: Schema.optionalKey(Schema.Literals(["socks5", "socks4", "http"])),
  at: Schema.optionalKey(text),
  address: Schema.optionalKey(text)
})
export type Question = typeof Question.Type

export const Explanation = Schema.Struct({
  verdict: Schema.Literals(["allowed", "denied", "unknown"]),
  lines: Schema.Array(Schema.String)
})
export type Explanation = typeof Explanation.Type

export const levels = ["trace", "debug", "info", "warn", "error", "none"] as const
export type Level = (typeof levels)[number]

/** An upstream that a route leads to. */
export const Upstream = Schema.Struct({
  route: Schema.String,
  name: Schema.String,
  healthy: Schema.Boolean.annotate({
    description: "Whether sessions use it: false while any worker leaves it alone, because it fails"
  }),
  since: Schema.NullOr(Schema.Int).annotate({ description: "When that changed; null if it never did" }),
  sessions: Schema.Int.annotate({ description: "Open sessions" }),
  failures: Schema.Int.annotate({ description: "Of sessions and health checks" }),
  downIn: Schema.Array(Schema.Int).annotate({ description: "The workers that leave it alone, by their pid" }),
  detail: Schema.String.annotate({ description: "What was wrong the last time; empty while nothing was" })
})
export type Upstream = typeof Upstream.Type

/** What the first page of the dashboard shows, in one answer. */
export const Overview = Schema.Struct({
  status: Status,
  samples: Schema.Array(Sample).annotate({ description: "The traffic of the last half minute" }),
  users: Schema.Array(TrafficRow).annotate({ description: "The users with the most bytes" }),
  targets: Schema.Array(TrafficRow).annotate({ description: "The targets with the most bytes" }),
  upstreams: Schema.Array(Upstream)
})
export type Overview = typeof Overview.Type

export class ServerGroup extends HttpApiGroup.make("server")
  .add(
    HttpApiEndpoint.get("overview", "/overview", { success: Overview }),
    HttpApiEndpoint.get("status", "/status", { success: Status }),
    HttpApiEndpoint.get("traffic", "/traffic", {
      query: { by: Schema.optionalKey(Schema.Literals(["user", "target", "client", "rule"])) },
      success: Schema.Array(TrafficRow)
    }),
    HttpApiEndpoint.get("history", "/history", { success: Schema.Array(Sample) }),
    HttpApiEndpoint.get("limits", "/limits", { success: Schema.Array(Limit) }),
    HttpApiEndpoint.get("config", "/config", { success: Schema.Array(SettingRow) }),
    HttpApiEndpoint.get("upstreams", "/upstreams", { success: Schema.Array(Upstream) }),
    HttpApiEndpoint.post("explain", "/explain", {
      payload: Question,
      success: Explanation,
      error: [Invalid, NotOffered]
    }),
    HttpApiEndpoint.post("reload", "/reload", {
      success: HttpApiSchema.NoContent,
      error: [Invalid, NotOffered]
    }),
    HttpApiEndpoint.post("drain", "/drain", { success: HttpApiSchema.NoContent }),
    HttpApiEndpoint.delete("undrain", "/drain", { success: HttpApiSchema.NoContent }),
    HttpApiEndpoint.post("stop", "/stop", { success: HttpApiSchema.Accepted, error: NotOffered }),
    HttpApiEndpoint.get("logLevel", "/log-level", {
      success: Schema.Struct({ level: Schema.String }),
      error: NotOffered
    }),
    HttpApiEndpoint.put("setLogLevel", "/log-level", {
      payload: Schema.Struct({ level: Schema.Literals(levels) }),
      success: HttpApiSchema.NoContent,
      error: [Invalid, NotOffered]
    })
  )
  .middleware(Bearer)
  .prefix("/api") {}

// Events -----------------------------------------------------------------------

/** An event of the server as in `Events`, or a sign that the connection is alive: at first, and every 15 seconds. */
export const AdminEvent = Schema.Record(Schema.String, Schema.Json)
export type AdminEvent = typeof AdminEvent.Type

export class TooManyStreams extends Schema.TaggedError<TooManyStreams>()("TooManyStreams", failure, {
  httpApiStatus: 503
}) {}

export class EventsGroup extends HttpApiGroup.make("events")
  .add(
    HttpApiEndpoint.get("stream", "/events", {
      query: {
        tags: Schema.optionalKey(text).annotate({
          description:
            "Kinds of events, separated by commas, such as SessionEnded,NetworkBanned; all by default"
        }),
        verdict: Schema.optionalKey(Schema.Literals(["allow", "deny", "would deny", "undecided"])).annotate({
          description: "Of the decisions, only those with this verdict"
        })
      },
      success: HttpApiSchema.StreamSse({ data: AdminEvent }),
      error: [Invalid, TooManyStreams]
    })
  )
  .middleware(Bearer)
  .prefix("/api") {}

// The fleet --------------------------------------------------------------------

/** A machine of the fleet. Without an answer it has no status. */
export const MachineRow = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  self: Schema.Boolean.annotate({ description: "Whether this is the machine that was asked" }),
  status: Schema.NullOr(Status)
})
export type MachineRow = typeof MachineRow.Type

const missing = Schema.Array(Schema.String).annotate({
  description: "Names of the machines that did not answer"
})
const storeLost = Schema.Boolean.annotate({
  description: "Whether the fleet's store does not answer, so that only this machine is here"
})

/** A limit that machines have set differently. Each machine judges by its own. */
export const Difference = Schema.Struct({
  name: Schema.String,
  values: Schema.Array(Schema.Struct({ value: Schema.String, machines: Schema.Array(Schema.String) }))
})
export type Difference = typeof Difference.Type

export const FleetRow = Schema.Struct({
  machines: Schema.Array(MachineRow),
  differences: Schema.optionalKey(Schema.Array(Difference)),
  storeLost
})
export type FleetRow = typeof FleetRow.Type

export const FleetSessionRow = Schema.Struct({ machine: Schema.String, ...SessionRow.fields })
export type FleetSessionRow = typeof FleetSessionRow.Type

/** A page of the sessions of all machines. */
export const FleetSessions = Schema.Struct({
  rows: Schema.Array(FleetSessionRow),
  total: Schema.Int,
  missing,
  storeLost
})
export type FleetSessions = typeof FleetSessions.Type

/** A reload of one machine after the other, which ends at the first that does not take its settings. */
export const FleetReload = Schema.Struct({
  reloaded: Schema.Array(Schema.String),
  failed: Schema.NullOr(Schema.Struct({ machine: Schema.String, reason: Schema.String })),
  left: Schema.Array(Schema.String).annotate({ description: "Machines with their earlier settings" })
})
export type FleetReload = typeof FleetReload.Type

const machine = { machine: text.annotate({ description: "The name or the id of a machine" }) }
/** The machine is known, and does not answer. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", failure, { httpApiStatus: 504 }) {}
const machineErrors = [NotFound, NotOffered, NoAnswer] as const
const ofMachine = { params: machine, success: HttpApiSchema.NoContent, error: machineErrors }

export class FleetGroup extends HttpApiGroup.make("fleet")
  .add(
    HttpApiEndpoint.get("machines", "/fleet", { success: FleetRow, error: NotOffered }),
    HttpApiEndpoint.get("sessions", "/fleet/sessions", {
      query: sessionQuery,
      success: FleetSessions,
      error: NotOffered
    }),
    HttpApiEndpoint.delete("end", "/fleet/:machine/sessions/:id", {
      ...ofMachine,
      params: { ...machine, ...id }
    }),
    HttpApiEndpoint.post("drain", "/fleet/:machine/drain", ofMachine),
    HttpApiEndpoint.delete("undrain", "/fleet/:machine/drain", ofMachine),
    HttpApiEndpoint.post("reload", "/fleet/reload", { success: FleetReload, error: NotOffered })
  )
  .middleware(Bearer)
  .prefix("/api") {}

// Health -----------------------------------------------------------------------

export class NotReady extends Schema.TaggedError<NotReady>()("NotReady", failure, { httpApiStatus: 503 }) {}

const Health = Schema.Struct({ status: Schema.Literal("ok") })

export class HealthGroup extends HttpApiGroup.make("health", { topLevel: true }).add(
  HttpApiEndpoint.get("healthz", "/healthz", { success: Health }),
  HttpApiEndpoint.get("readyz", "/readyz", { success: Health, error: NotReady })
) {}

export class AdminApi extends HttpApi.make("effect-socks")
  .add(SessionsGroup)
  .add(BansGroup)
  .add(UsersGroup)
  .add(ServerGroup)
  .add(EventsGroup)
  .add(FleetGroup)
  .add(HealthGroup)
  .middleware(HttpApiMiddleware.ProblemDetails)
  .annotateMerge(
    OpenApi.annotations({
      title: "effect-socks",
      description: "See and steer a running effect-socks server"
    })
  ) {}
