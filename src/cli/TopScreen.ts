/**
 * The screen of `top`: what it shows, and what keys do. Texts of clients are printable, so no escape sequence of theirs
 * reaches the terminal.
 */
import type { Sample, SessionRow, Status } from "../admin/Api.ts"
import * as Quantity from "../base/Quantity.ts"
import * as AdminTool from "./AdminTool.ts"
import * as Table from "./Table.ts"

export const sorts = ["received", "sent", "startedAt", "user", "client", "target"] as const

export interface State {
  readonly sort: (typeof sorts)[number]
  readonly isDescending: boolean
  readonly search: string
  /** Whether keys are letters of the search. */
  readonly isSearching: boolean
  /** The number of the chosen session. */
  readonly chosen: number | undefined
}

export const initial: State = {
  sort: "received",
  isDescending: true,
  search: "",
  isSearching: false,
  chosen: undefined
}

export interface Seen {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly status: Status
  readonly sessions: ReadonlyArray<SessionRow>
  /** The number of sessions, with those that are not among `sessions`. */
  readonly total: number
  readonly rates: Rates
}

/** Bytes a second. */
export interface Rates {
  readonly up: number
  readonly down: number
}

/** The rates between the last two samples. */
export const ratesOf = (history: ReadonlyArray<Sample>): Rates => {
  const [before, last] = history.slice(-2)
  if (before === undefined || last === undefined) return { up: 0, down: 0 }
  const seconds = Math.max(0.001, (last.at - before.at) / 1000)
  return {
    up: Math.max(0, Math.round((last.sent - before.sent) / seconds)),
    down: Math.max(0, Math.round((last.received - before.received) / seconds))
  }
}

/** Whether both states show the same sessions. */
export const isSameQuery = (one: State, other: State): boolean =>
  one.sort === other.sort && one.isDescending === other.isDescending && one.search === other.search

/** The state after a key, and the number of the session to end, if the key ends one. */
export const press = (
  state: State,
  { sessions }: Pick<Seen, "sessions">,
  key: string,
  input: string | undefined
): "quit" | { readonly state: State; readonly killing?: number } => {
  if (state.isSearching) return { state: searching(state, key, input) }
  const position = chosenIn(state, sessions)
  const at = (index: number): State => ({ ...state, chosen: sessions[index]?.id })
  switch (key) {
    case "q":
      return "quit"
    case "up":
      return { state: at(Math.max(0, position - 1)) }
    case "down":
      return { state: at(Math.min(sessions.length - 1, position + 1)) }
    case "s":
      return { state: { ...state, sort: sorts[(sorts.indexOf(state.sort) + 1) % sorts.length]! } }
    case "r":
      return { state: { ...state, isDescending: !state.isDescending } }
    case "k": {
      const killing = sessions[position]?.id
      return killing === undefined ? { state } : { state: at(position + 1), killing }
    }
    default:
      return { state: input === "/" ? { ...state, isSearching: true, search: "" } : state }
  }
}

const searching = (state: State, key: string, input: string | undefined): State => {
  if (key === "return" || key === "enter") return { ...state, isSearching: false }
  if (key === "escape") return { ...state, isSearching: false, search: "" }
  if (key === "backspace") return { ...state, search: state.search.slice(0, -1) }
  return input !== undefined && /^\P{C}$/u.test(input) && state.search.length < 200
    ? { ...state, search: state.search + input }
    : state
}

/** The place of the chosen session, or the first. */
const chosenIn = ({ chosen }: State, sessions: ReadonlyArray<SessionRow>): number =>
  Math.max(
    0,
    sessions.findIndex(({ id }) => id === chosen)
  )

export interface Terminal {
  readonly columns: number
  readonly rows: number
  /** Without styles, as the variable NO_COLOR asks for. */
  readonly isPlain?: boolean
}

const escape = "\u001b"

/** The other screen of the terminal, without a cursor. Lines that are too wide, as of Chinese names, are not wrapped. */
export const begin = `${escape}[?1049h${escape}[?25l${escape}[?7l`
export const end = `${escape}[?7h${escape}[?25h${escape}[?1049l`

/** The whole screen. */
export const render = (
  state: State,
  { at, status, sessions, total, rates }: Seen,
  { columns, rows, isPlain = false }: Terminal
): string => {
  const styled = (style: string, text: string) => (isPlain ? text : `${escape}[${style}m${text}${escape}[0m`)
  const up = Quantity.size(rates.up)
  const down = Quantity.size(rates.down)
  const readiness = status.ready ? "" : status.draining ? ", draining" : ", not ready"
  const head = [
    `effect-socks ${status.version}  up ${Quantity.age(at - status.startedAt)}${readiness}`,
    `${status.sessions} sessions  ${status.handshakes} handshakes  ${status.bans} bans  ${up}/s up  ${down}/s down`,
    state.isSearching || state.search !== ""
      ? `search: ${state.search}${state.isSearching ? "_" : ""}  (${total} found)`
      : ""
  ]
  const help = `sorted by ${state.sort}${state.isDescending ? ", down" : ""} | arrows choose  k end  s sort  r reverse  / search  q quit`
  const [titles = "", ...lines] = Table.lines(AdminTool.sessionColumns(at), sessions)
  const position = chosenIn(state, sessions)
  const room = Math.max(1, rows - head.length - 3)
  const first = Math.max(0, Math.min(position - Math.floor(room / 2), lines.length - room))
  const margin = (isChosen: boolean) => (isPlain ? (isChosen ? "> " : "  ") : "")
  const shown = lines.slice(first, first + room).map((line, index) => {
    const isChosen = first + index === position
    const text = `${margin(isChosen)}${line}`.slice(0, columns).padEnd(columns)
    return isChosen ? styled("7", text) : text
  })
  const clear = `${escape}[K`
  return [
    `${escape}[H`,
    [
      ...head.map((line) => line.slice(0, columns) + clear),
      styled("1", `${margin(false)}${titles}`.slice(0, columns)) + clear,
      ...shown,
      `${escape}[J${styled("2", help.slice(0, columns))}${clear}`
    ].join("\r\n")
  ].join("")
}
