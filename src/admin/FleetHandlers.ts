/**
 * The endpoints of a fleet, which ask all of its machines, or one. Bans and users need none: the machines share them.
 */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { FleetPeers, type Replies } from "../fleet/FleetPeers.ts"
import { printable } from "../wire/Text.ts"
import {
  AdminApi,
  type FleetReload,
  type FleetRow,
  type FleetSessionRow,
  type FleetSessions,
  largestPage,
  NoAnswer,
  NotFound,
  NotOffered,
  type SessionQuery
} from "./Api.ts"
import { audited } from "./AuditLog.ts"
import * as FleetDifferences from "./FleetDifferences.ts"
import * as FleetQuestions from "./FleetQuestions.ts"
import * as SessionPage from "./SessionPage.ts"

export const layer = HttpApiBuilder.group(
  AdminApi,
  "fleet",
  Effect.fnUntraced(function* (handlers) {
    const found = yield* Effect.serviceOption(FleetPeers)
    const peers: Effect.Effect<FleetPeers["Service"], NotOffered> = Option.match(found, {
      onNone: () => Effect.fail(new NotOffered({ message: "this server is of no fleet: --fleet" })),
      onSome: Effect.succeed
    })
    const on = (machine: string, question: FleetQuestions.Question) =>
      Effect.flatMap(peers, (peers) => askOne(peers, machine, question))
    return handlers
      .handle("machines", () =>
        Effect.flatMap(peers, (peers) =>
          Effect.zipWith(
            machines(peers),
            differences(peers),
            (row, differences): FleetRow => ({ ...row, differences }),
            { concurrent: true }
          )
        )
      )
      .handle("sessions", ({ query }) => Effect.flatMap(peers, (peers) => sessions(peers, query)))
      .handle("end", ({ params: { machine, id } }) =>
        Effect.flatMap(on(machine, { _tag: "end", session: id }), (answer) =>
          read("end", answer)?.isFound
            ? Effect.void
            : Effect.fail(new NotFound({ message: `no session ${id} of ${printable(machine)} is open` }))
        ).pipe(audited("end session", { machine, session: id }))
      )
      .handle("drain", ({ params: { machine } }) =>
        Effect.asVoid(on(machine, { _tag: "drain", isOn: true })).pipe(audited("drain", { machine }))
      )
      .handle("undrain", ({ params: { machine } }) =>
        Effect.asVoid(on(machine, { _tag: "drain", isOn: false })).pipe(audited("end drain", { machine }))
      )
      .handle("reload", () => Effect.flatMap(peers, reload).pipe(audited("reload fleet")))
  })
)

type Peers = FleetPeers["Service"]

/** An answer to this question; undefined where it is none. */
const read = <Tag extends keyof typeof FleetQuestions.Answers>(
  tag: Tag,
  answer: unknown
): FleetQuestions.Answer<Tag> | undefined =>
  Option.getOrUndefined(
    Schema.decodeUnknownOption(FleetQuestions.Answers[tag] as Schema.Codec<FleetQuestions.Answer<Tag>>)(
      answer
    )
  )

const ask = (
  { ask }: Peers,
  question: FleetQuestions.Question,
  to?: Parameters<Peers["ask"]>[1]
): Effect.Effect<Replies> => ask(question, to)

/** Milliseconds for a reload, which may read many rules. */
const longest = 60_000

const byName = <Row extends { readonly name: string }>(rows: ReadonlyArray<Row>): ReadonlyArray<Row> =>
  [...rows].sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0))

const machines = Effect.fnUntraced(function* (peers: Peers): Effect.fn.Return<FleetRow> {
  const { replies, missing, isStoreLost } = yield* ask(peers, { _tag: "status" })
  return {
    storeLost: isStoreLost,
    machines: byName([
      ...replies.map(({ machine, answer }) => ({
        id: machine.id,
        name: FleetQuestions.nameOf(machine),
        self: machine.id === peers.id,
        status: read("status", answer) ?? null
      })),
      ...missing.map((machine) => ({
        ...{ id: machine.id, name: FleetQuestions.nameOf(machine) },
        ...{ self: false, status: null }
      }))
    ])
  }
})

const differences = (peers: Peers): Effect.Effect<NonNullable<FleetRow["differences"]>> =>
  Effect.map(ask(peers, { _tag: "limits" }), ({ replies }) =>
    FleetDifferences.of(
      replies
        .map(({ machine, answer }) => ({
          machine: FleetQuestions.nameOf(machine),
          limits: read("limits", answer) ?? []
        }))
        .sort((one, other) => (one.machine < other.machine ? -1 : 1))
    )
  )

/** Each machine gives its rows up to the end of the page, so that the page is that of all rows together. */
const sessions = Effect.fnUntraced(function* (
  peers: Peers,
  query: SessionQuery
): Effect.fn.Return<FleetSessions> {
  const { offset = 0, limit = 100 } = query
  const most = Math.min(offset + limit, largestPage)
  const question = { _tag: "sessions", query: { ...query, offset: 0, limit: most } } as const
  const { replies, missing, isStoreLost } = yield* ask(peers, question)
  const answers = replies.map(({ machine, answer }) => ({
    name: FleetQuestions.nameOf(machine),
    ...(read("sessions", answer) ?? { total: 0, rows: [] })
  }))
  const rows = answers.flatMap(({ name, rows }) =>
    rows.map((row): FleetSessionRow => ({ machine: name, ...row }))
  )
  return {
    rows: SessionPage.ordered(rows, { sort: "startedAt", ...query }).slice(offset, offset + limit),
    total: answers.reduce((sum, { total }) => sum + total, 0),
    missing: missing.map(FleetQuestions.nameOf),
    storeLost: isStoreLost
  }
})

/** The answer of a machine that is named by its name or its id. */
const askOne = Effect.fnUntraced(function* (
  peers: Peers,
  machine: string,
  question: FleetQuestions.Question
): Effect.fn.Return<unknown, NotFound | NoAnswer> {
  const all = yield* machines(peers)
  const found = all.machines.filter(({ id, name }) => id === machine || name === machine)
  const [one, ...others] = found
  if (one === undefined || others.length > 0) {
    const name = printable(machine)
    const message =
      one === undefined
        ? `no machine of the fleet is named ${name}`
        : `several machines of the fleet are named ${name}: name one by its id, ${found.map(({ id }) => id).join(" or ")}`
    return yield* new NotFound({ message })
  }
  // One that has not answered the first question is not waited for again.
  const { replies } = one.status === null ? { replies: [] } : yield* ask(peers, question, { machine: one.id })
  const [reply] = replies
  if (reply === undefined) return yield* new NoAnswer({ message: `${one.name} does not answer` })
  return reply.answer
})

/** One machine after the other. */
const reload = Effect.fnUntraced(function* (peers: Peers): Effect.fn.Return<FleetReload> {
  const all = (yield* machines(peers)).machines
  const reloaded: Array<string> = []
  for (const { id, name, status } of all) {
    const asked = ask(peers, { _tag: "reload" }, { machine: id, patience: longest })
    const [reply] = status === null ? [] : (yield* asked).replies
    const answer = read("reload", reply?.answer)
    const reason = answer === undefined ? "it does not answer" : answer.failure
    if (reason !== null) {
      const left = all.map(({ name }) => name).filter((other) => !reloaded.includes(other))
      return { reloaded, failed: { machine: name, reason }, left }
    }
    reloaded.push(name)
  }
  return { reloaded, failed: null, left: [] }
})
