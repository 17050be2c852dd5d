/**
 * The admin API, as the dashboard calls it. The token is in memory and in the storage of this tab, never in an address.
 */
import type * as Api from "../src/admin/Api.ts"

export type * from "../src/admin/Api.ts"

const place = "effect-socks token"
let token = sessionStorage.getItem(place) ?? ""
let onSignedOut: () => void = () => {}

export const hasToken = (): boolean => token !== ""

export const setToken = (next: string): void => {
  token = next
  if (next === "") sessionStorage.removeItem(place)
  else sessionStorage.setItem(place, next)
}

/** Calls this when the server does not take the token. */
export const whenSignedOut = (happen: () => void): void => {
  onSignedOut = happen
}

/** What the server has refused, in its words. */
export class Refused extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export const send = async (path: string, init: RequestInit = {}): Promise<Response> => {
  const headers = new Headers(init.headers)
  headers.set("authorization", `Bearer ${token}`)
  const response = await fetch(path, {
    ...init,
    headers,
    cache: "no-store",
    credentials: "omit",
    redirect: "error"
  })
  if (response.ok) return response
  if (response.status === 401) {
    setToken("")
    onSignedOut()
  }
  const body: unknown = await response.json().catch(() => undefined)
  const { message, detail } = (body ?? {}) as { readonly message?: string; readonly detail?: string }
  throw new Refused(response.status, message ?? detail ?? `the server answers ${response.status}`)
}

const get = async <A>(path: string, signal?: AbortSignal): Promise<A> =>
  (await send(path, signal ? { signal } : {})).json() as Promise<A>

const change = async (method: string, path: string, body?: unknown): Promise<Response> =>
  send(path, {
    method,
    ...(body !== undefined && {
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" }
    })
  })

export interface Page<Row> {
  readonly rows: ReadonlyArray<Row>
  readonly total: number
}

const page = async <Row>(
  path: string,
  query: Readonly<Record<string, string | number>>
): Promise<Page<Row>> => {
  const search = new URLSearchParams(
    Object.entries(query)
      .filter(([, value]) => value !== "")
      .map(([name, value]) => [name, String(value)])
  )
  const response = await send(`${path}?${search}`)
  return {
    rows: (await response.json()) as ReadonlyArray<Row>,
    total: Number(response.headers.get("x-total-count"))
  }
}

export const status = () => get<Api.Status>("/api/status")
export const history = () => get<ReadonlyArray<Api.Sample>>("/api/history")
export const overview = () => get<Api.Overview>("/api/overview")
export const limits = () => get<ReadonlyArray<Api.Limit>>("/api/limits")
export const settings = () => get<ReadonlyArray<Api.SettingRow>>("/api/config")
export const bans = (query: Readonly<Record<string, string | number>>) => page<Api.BanRow>("/api/bans", query)
export const sessions = (query: Readonly<Record<string, string | number>>) =>
  page<Api.SessionRow>("/api/sessions", query)
export const users = (query: Readonly<Record<string, string | number>>) =>
  page<Api.UserRow>("/api/users", query)
export const endSession = (id: number) => change("DELETE", `/api/sessions/${id}`)
export const ban = (body: {
  readonly network: string
  readonly duration: string
  readonly reason?: string
}) => change("POST", "/api/bans", body)
export const lift = (network: string) => change("DELETE", `/api/bans/${encodeURIComponent(network)}`)
export const addUser = (body: {
  readonly name: string
  readonly password: string
  readonly groups?: ReadonlyArray<string>
}) => change("POST", "/api/users", body)
export const setPassword = (name: string, password: string) =>
  change("PATCH", `/api/users/${encodeURIComponent(name)}`, { password })
export const enableUser = (name: string, enabled: boolean) =>
  change("PATCH", `/api/users/${encodeURIComponent(name)}`, { enabled })
export const removeUser = (name: string) => change("DELETE", `/api/users/${encodeURIComponent(name)}`)
export const explain = async (question: Readonly<Record<string, string>>): Promise<Api.Explanation> =>
  (await change("POST", "/api/explain", question)).json() as Promise<Api.Explanation>
export const fleet = () => get<Api.FleetRow>("/api/fleet")
export const drainMachine = (id: string, isOn: boolean) =>
  change(isOn ? "POST" : "DELETE", `/api/fleet/${encodeURIComponent(id)}/drain`)
export const reloadFleet = async (): Promise<Api.FleetReload> =>
  (await change("POST", "/api/fleet/reload")).json() as Promise<Api.FleetReload>
export const reload = () => change("POST", "/api/reload")
export const drain = (isOn: boolean) => change(isOn ? "POST" : "DELETE", "/api/drain")
