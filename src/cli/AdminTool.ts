/**
 * What the commands do that see and steer a running server.
 */
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as AdminCheck from "../admin/AdminCheck.ts"
import {
  type BanRow,
  type FleetSessionRow,
  largestPage,
  type MachineRow,
  type SessionQuery,
  type SessionRow,
  type Upstream,
  type UserRow
} from "../admin/Api.ts"
import * as Client from "../admin/Client.ts"
import * as FleetDifferences from "../admin/FleetDifferences.ts"
import * as Token from "../admin/Token.ts"
import * as Quantity from "../base/Quantity.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import * as Parsers from "../config/Parsers.ts"
import type * as Sources from "../config/Sources.ts"
import { BadSetting, type BadSettings } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import * as HashPassword from "./HashPassword.ts"
import * as Settings from "./Settings.ts"
import * as Table from "./Table.ts"

/** The server could not be asked, or has refused. */
export class AdminFailed extends Data.TaggedError("AdminFailed")<{ readonly message: string }> {}

interface Printed {
  readonly json: boolean
}

export const sessions = (
  given: Sources.Given,
  { json, ...query }: Printed & Pick<SessionQuery, "sort" | "limit"> & { readonly search: string | undefined }
) =>
  run(given, (client, user) =>
    Effect.gen(function* () {
      const { search, ...others } = query
      const { body, headers } = yield* client.sessions.list({
        query: { ...others, ...(search !== undefined && { search }), ...(user !== undefined && { user }) }
      })
      if (json) return yield* print(body)
      yield* Console.log([...Table.lines(sessionColumns(Date.now()), body)].join("\n"))
      const left = headers["x-total-count"] - body.length
      if (left > 0) yield* Console.error(`and ${left} more: --limit, --search or --user`)
    })
  )

export const kill = (
  given: Sources.Given,
  { json, ids }: Printed & { readonly ids: ReadonlyArray<number> }
) =>
  run(given, (client) =>
    Effect.gen(function* () {
      for (const id of ids) yield* client.sessions.end({ params: { id } })
      if (json) yield* print({ ended: ids })
    })
  )

export const bans = (given: Sources.Given, { json }: Printed) =>
  run(given, (client) => Effect.flatMap(client.bans.list({ query: {} }), ({ body }) => printBans(json, body)))

export const ban = (
  given: Sources.Given,
  asked: Printed & {
    readonly network: string
    readonly for: string
    readonly reason: string | undefined
    readonly yes: boolean
  }
) => {
  const { json, network, for: duration, reason, yes } = asked
  if (!yes && isHuge(network)) return Effect.fail(hasManyAddresses(network))
  return run(given, (client) => {
    const payload = { network, duration, ...(reason !== undefined && { reason }) }
    return Effect.flatMap(client.bans.add({ payload }), (row) => printBans(json, [row]))
  })
}

const hasManyAddresses = (network: string) =>
  new AdminFailed({
    message: `${printable(network)} has a large part of all addresses: to ban all of them, add --yes`
  })

/** Whether a network is so large that it was hardly meant: more than a /8 of IPv4, or a /16 of IPv6. */
const isHuge = (network: string): boolean =>
  Option.exists(
    Parsers.network(network),
    ({ address, prefixLength }) => prefixLength < (NetAddress.isIpv4Address(address) ? 8 : 16)
  )

export const unban = (given: Sources.Given, { json, network }: Printed & { readonly network: string }) =>
  run(given, (client) =>
    Effect.flatMap(client.bans.lift({ params: { network } }), (rows) => printBans(json, rows))
  )

export const upstreams = (given: Sources.Given, { json }: Printed) =>
  run(given, (client) =>
    Effect.flatMap(client.server.upstreams(), (rows) =>
      json ? print(rows) : Console.log(Table.lines(upstreamColumns(Date.now()), rows).join("\n"))
    )
  )

interface UsersAsked extends Printed {
  readonly action: "list" | "add" | "enable" | "disable" | "remove" | "password"
  readonly name: string | undefined
  readonly groups: ReadonlyArray<string>
}

export const users = (given: Sources.Given, { json, action, name, groups }: UsersAsked) =>
  run(given, (client) =>
    Effect.gen(function* () {
      if (action === "list") {
        const rows: Array<UserRow> = []
        const query = { limit: largestPage, ...(name !== undefined && { search: name }) }
        while (true) {
          const { body } = yield* client.users.list({ query: { ...query, offset: rows.length } })
          rows.push(...body)
          if (body.length < largestPage) break
        }
        return yield* json ? print(rows) : Console.log(Table.lines(userColumns, rows).join("\n"))
      }
      if (name === undefined) {
        return yield* new AdminFailed({ message: `users ${action} takes the name of a user` })
      }
      const params = { name }
      if (action === "add") {
        const payload = { name, password: yield* password, ...(groups.length > 0 && { groups }) }
        yield* client.users.add({ payload })
      } else if (action === "password") {
        yield* client.users.change({ params, payload: { password: yield* password } })
      } else if (action === "remove") yield* client.users.remove({ params })
      else yield* client.users.change({ params, payload: { enabled: action === "enable" } })
      if (json) yield* print({ [action]: name })
    })
  )

/** A password from standard input, which a terminal does not show: in an argument, others could see it. */
const password = Effect.flatMap(HashPassword.read, (bytes) =>
  Effect.try({
    try: () => Redacted.make(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)),
    catch: () => new AdminFailed({ message: "the password is not UTF-8" })
  })
)

interface FleetAsked extends Printed {
  readonly action: "machines" | "sessions" | "kill" | "drain" | "undrain" | "reload"
  readonly machine: string | undefined
  readonly ids: ReadonlyArray<number>
  readonly limit: number
}

export const fleet = (given: Sources.Given, { json, action, machine, ids, limit }: FleetAsked) =>
  run(given, (client, user) =>
    Effect.gen(function* () {
      if (action === "machines") {
        const found = yield* client.fleet.machines()
        yield* json
          ? print(found)
          : Console.log(Table.lines(machineColumns(Date.now()), found.machines).join("\n"))
        for (const each of found.differences ?? []) {
          yield* Console.error(`warning: ${printable(FleetDifferences.sentence(each), 1000)}`)
        }
        return found.storeLost ? yield* Console.error(storeLost) : undefined
      }
      if (action === "sessions") {
        const query = { limit, ...(user !== undefined && { user }) }
        const found = yield* client.fleet.sessions({ query })
        if (json) return yield* print(found)
        const columns = [{ title: "MACHINE", of: (row: FleetSessionRow) => row.machine }]
        yield* Console.log(
          [...Table.lines([...columns, ...sessionColumns(Date.now())], found.rows)].join("\n")
        )
        if (found.total > found.rows.length) {
          yield* Console.error(`and ${found.total - found.rows.length} more: --limit or --user`)
        }
        if (found.missing.length > 0) yield* Console.error(`without an answer: ${found.missing.join(", ")}`)
        return found.storeLost ? yield* Console.error(storeLost) : undefined
      }
      if (action === "reload") {
        const { reloaded, failed, left } = yield* client.fleet.reload()
        if (json) yield* print({ reloaded, failed, left })
        else if (reloaded.length > 0) yield* Console.log(`reloaded: ${reloaded.join(", ")}`)
        if (failed === null) return
        const reason = `${failed.machine} has its earlier settings: ${failed.reason}; not tried: `
        const rest = left.filter((name) => name !== failed.machine)
        return yield* new AdminFailed({ message: reason + (rest.join(", ") || "none") })
      }
      if (machine === undefined) {
        return yield* new AdminFailed({ message: `fleet ${action} takes the name of a machine` })
      }
      if (action === "kill") {
        if (ids.length === 0)
          return yield* new AdminFailed({ message: "fleet kill takes numbers of sessions" })
        for (const id of ids) yield* client.fleet.end({ params: { machine, id } })
      } else yield* client.fleet[action]({ params: { machine } })
      if (json) yield* print({ [action]: machine, ...(action === "kill" && { ids }) })
    })
  )

const storeLost = "the fleet's store does not answer, so only this machine is here"

/** Calls a running server. `--user` names a user here, and is no setting. */
export const run = <A, E extends Error, R>(
  { user = [], ...given }: Sources.Given,
  use: (client: Client.Client, user: string | undefined) => Effect.Effect<A, E, R>
): Effect.Effect<
  A,
  AdminFailed | BadSetting | BadSettings,
  Exclude<R, Scope.Scope> | FileSystem.FileSystem
> =>
  Effect.gen(function* () {
    const { values } = yield* Settings.read({ ...given, logLevel: [] })
    const { admin, adminTlsCert } = values
    if (admin === undefined) {
      return yield* new BadSetting({
        setting: "--admin",
        value: "a command for a running server",
        expected:
          "possible without the address of its admin listener, such as unix:/run/effect-socks/admin.sock, which SOCKS_ADMIN can have, too"
      })
    }
    const tls = adminTlsCert === undefined ? undefined : yield* AdminCheck.tls(values)
    const { token, path } = yield* Effect.mapError(Token.known({ ...values, admin }), ({ path, reason }) =>
      Object.assign(new AdminFailed({ message: `no token of the admin listener in ${path}: ${reason}` }))
    )
    const client = yield* Client.make({ at: admin, token, cert: tls?.cert })
    return yield* Effect.mapError(use(client, user.at(-1)), (error) =>
      failed(ListenAddress.format(admin), path, error)
    )
  }).pipe(Effect.scoped)

/** `path` is the file that the token was read from. */
const failed = (
  address: string,
  path: string | undefined,
  error: Error & { readonly _tag?: string }
): AdminFailed => {
  if (error instanceof AdminFailed) return error
  if (error._tag === "Unauthorized") {
    const reason =
      path === undefined
        ? "another token: --admin-token"
        : `another token than ${printable(path)}: give its --state-dir or --config, or --admin-token`
    return new AdminFailed({ message: `the server at ${address} has ${reason}` })
  }
  if (error._tag === "HttpClientError") {
    return new AdminFailed({ message: `no server answers at ${address} (${causeOf(error)})` })
  }
  return new AdminFailed({ message: error.message })
}

/** What was wrong in the end: an error of the client says what it asked, and the system says why that failed. */
const causeOf = (error: Error): string => {
  const { reason, cause = reason } = error as { readonly reason?: unknown; readonly cause?: unknown }
  return cause instanceof Error ? causeOf(cause) : error.message
}

const print = (value: unknown) => Console.log(JSON.stringify(value, null, 2))

const printBans = (json: boolean, rows: ReadonlyArray<BanRow>) =>
  json ? print(rows) : Console.log(Table.lines(banColumns, rows).join("\n"))

/** The columns of sessions, at this time. */
export const sessionColumns = (now: number): ReadonlyArray<Table.Column<SessionRow>> => [
  { title: "ID", of: ({ id }) => String(id), isNumber: true },
  { title: "USER", of: ({ user }) => printable(user ?? "-", 24) },
  { title: "CLIENT", of: ({ client }) => client },
  { title: "PROTOCOL", of: ({ protocol, command }) => `${protocol ?? "-"} ${command ?? ""}`.trim() },
  { title: "TARGET", of: ({ target }) => printable(target ?? "-", 48) },
  { title: "SENT", of: ({ sent }) => Quantity.size(sent), isNumber: true },
  { title: "RECEIVED", of: ({ received }) => Quantity.size(received), isNumber: true },
  { title: "AGE", of: ({ startedAt }) => Quantity.age(now - startedAt), isNumber: true }
]

const upstreamColumns = (now: number): ReadonlyArray<Table.Column<Upstream>> => [
  { title: "ROUTE", of: ({ route }) => route },
  { title: "NAME", of: ({ name }) => printable(name, 48) },
  {
    title: "STATE",
    of: ({ healthy, downIn }) =>
      healthy ? "up" : `down${downIn.length > 1 ? ` (${downIn.length} workers)` : ""}`
  },
  { title: "FOR", of: ({ since }) => (since === null ? "-" : Quantity.age(now - since)), isNumber: true },
  { title: "SESSIONS", of: ({ sessions }) => String(sessions), isNumber: true },
  { title: "FAILURES", of: ({ failures }) => String(failures), isNumber: true },
  { title: "DETAIL", of: ({ detail }) => detail || "-" }
]

const machineColumns = (now: number): ReadonlyArray<Table.Column<MachineRow>> => [
  { title: "MACHINE", of: ({ name }) => printable(name, 40) },
  { title: "STATE", of: ({ status }) => stateOf(status) },
  { title: "LEADS", of: ({ status }) => leadsOf(status) },
  { title: "VERSION", of: ({ status }) => status?.version ?? "-" },
  { title: "WORKERS", of: ({ status }) => String(status?.workers.length || 1), isNumber: true },
  { title: "SESSIONS", of: ({ status }) => String(status?.sessions ?? "-"), isNumber: true },
  { title: "UP", of: ({ status }) => (status ? Quantity.age(now - status.startedAt) : "-"), isNumber: true }
]

const stateOf = (status: MachineRow["status"]): string => {
  if (status === null) return "no answer"
  if (status.draining) return "drains"
  return status.ready ? "ready" : "not ready"
}

/** Unknown of a machine without an answer, and of a fleet without a leader. */
const leadsOf = (status: MachineRow["status"]): string =>
  status?.leads === undefined ? "-" : status.leads ? "yes" : "no"

const banColumns: ReadonlyArray<Table.Column<BanRow>> = [
  { title: "NETWORK", of: ({ network }) => network },
  { title: "UNTIL", of: ({ until }) => new Date(until).toISOString() },
  { title: "FAILURES", of: ({ failures }) => String(failures), isNumber: true },
  { title: "REASON", of: ({ reason }) => printable(reason) }
]

const userColumns: ReadonlyArray<Table.Column<UserRow>> = [
  { title: "NAME", of: ({ name }) => printable(name, 40) },
  { title: "FROM", of: ({ stored }) => (stored ? "store" : "settings") },
  { title: "ENABLED", of: ({ enabled }) => (enabled ? "yes" : "no") },
  { title: "GROUPS", of: ({ groups }) => groups.map((group) => printable(group)).join(",") || "-" },
  { title: "SESSIONS", of: ({ sessions }) => String(sessions), isNumber: true },
  { title: "SENT", of: ({ sent }) => Quantity.size(sent), isNumber: true },
  { title: "RECEIVED", of: ({ received }) => Quantity.size(received), isNumber: true }
]
