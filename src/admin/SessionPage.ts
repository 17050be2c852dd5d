/**
 * The open sessions as the API gives them: which of them, in which order, and one page of these. They may be very many, so
 * all of this is work in pieces.
 */
import * as Slices from "../base/Slices.ts"
import type { SessionSnapshot } from "../session/SessionSnapshot.ts"
import { largestPage, type SessionQuery, type SessionRow, type TrafficRow } from "./Api.ts"

/** The number of rows without `limit`. */
const usualPage = 100

/** The rows of a page, and the number of all sessions that the query chooses. */
export function* page(
  sessions: ReadonlyArray<SessionSnapshot>,
  query: SessionQuery
): Slices.Work<{ readonly total: number; readonly rows: ReadonlyArray<SessionRow> }> {
  const { sort, order = "asc", offset = 0, limit = usualPage } = query
  const chosen = yield* Slices.filter(sessions, chooses(query))
  const sorted = sort === undefined ? chosen : yield* Slices.sort(chosen, comparing(sort))
  const last = Math.min(sorted.length, offset + Math.min(limit, largestPage))
  const size = Math.max(0, last - offset)
  const ordered =
    order === "asc"
      ? sorted.slice(offset, last)
      : sorted.slice(sorted.length - last, sorted.length - last + size).reverse()
  return { total: sorted.length, rows: yield* Slices.map(ordered, row) }
}

export const row = (session: SessionSnapshot): SessionRow => ({
  id: session.id,
  user: session.user ?? null,
  client: session.client,
  listener: session.listener,
  protocol: session.protocol ?? null,
  command: session.command ?? null,
  target: session.target ?? null,
  address: session.address ?? null,
  rule: session.rule ?? null,
  route: session.route ?? null,
  startedAt: session.startedAt,
  sent: session.sent,
  received: session.received
})

/** The rows with the most bytes. Of very many keys only some are told. */
export function* traffic(
  sessions: ReadonlyArray<SessionSnapshot>,
  by: "user" | "target" | "client" | "rule"
): Slices.Work<ReadonlyArray<TrafficRow>> {
  const sums = new Map<string | null, { sessions: number; sent: number; received: number }>()
  yield* Slices.each(sessions, (session) => {
    const value = session[by] ?? null
    const key = by === "client" && value !== null ? hostOf(value) : value
    const sum = sums.get(key) ?? { sessions: 0, sent: 0, received: 0 }
    sum.sessions++
    sum.sent += session.sent
    sum.received += session.received
    sums.set(key, sum)
  })
  const rows = yield* Slices.map([...sums], ([key, sum]): TrafficRow => ({ key, ...sum }))
  const sorted = yield* Slices.sort(
    rows,
    (one, other) => other.sent + other.received - one.sent - one.received || other.sessions - one.sessions
  )
  return sorted.slice(0, mostKeys)
}

const mostKeys = 50

const chooses = ({ user, client, target, protocol, command, rule, search }: SessionQuery) => {
  const part = search?.toLowerCase()
  return (session: SessionSnapshot): boolean =>
    (user === undefined || session.user === user) &&
    (client === undefined || isAt(session.client, client)) &&
    (target === undefined || (session.target !== undefined && isAt(session.target, target))) &&
    (protocol === undefined || session.protocol?.toLowerCase() === protocol.toLowerCase()) &&
    (command === undefined || session.command?.toLowerCase() === command.toLowerCase()) &&
    (rule === undefined || session.rule === rule) &&
    (part === undefined || part === "" || searched(session).toLowerCase().includes(part))
}

const searched = (session: SessionSnapshot): string =>
  [
    session.id,
    session.user,
    session.client,
    session.target,
    session.address,
    session.protocol,
    session.command,
    session.rule,
    session.route
  ].join(" ")

/** Whether this is the place, or its host. */
const isAt = (place: string, asked: string): boolean => place === asked || hostOf(place) === asked

/** The host of `HOST:PORT`, without brackets. */
const hostOf = (place: string): string =>
  place.startsWith("unix:") ? place : place.slice(0, place.lastIndexOf(":")).replace(/^\[|\]$/g, "")

/** Rows in the order of a query. */
export const ordered = <Row extends SessionRow>(
  rows: ReadonlyArray<Row>,
  { sort = "id", order = "asc" }: Pick<SessionQuery, "sort" | "order">
): ReadonlyArray<Row> => {
  const sorted = [...rows].sort(comparing(sort))
  return order === "desc" ? sorted.reverse() : sorted
}

type SortKey = NonNullable<SessionQuery["sort"]>

const comparing =
  (key: SortKey) =>
  (
    one: { readonly [Key in SortKey]?: string | number | null | undefined } & { readonly id: number },
    other: { readonly [Key in SortKey]?: string | number | null | undefined } & { readonly id: number }
  ): number => {
    const [a, b] = [one[key] ?? "", other[key] ?? ""]
    return a < b ? -1 : a > b ? 1 : one.id - other.id
  }
