/**
 * The other machines of a fleet, asked over the store: a question goes to all of them or to one, and each answers for
 * itself. A machine without an answer in time is named, so that a partial answer says what is missing.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { FleetStoreFailed } from "../Errors.ts"
import { type FleetStore, run } from "./FleetStore.ts"
import type { Keys } from "./Keys.ts"
import * as Beat from "./scripts/Beat.ts"
import { ListMachines } from "./scripts/ListMachines.ts"

/** A machine, by the name of its run, and what it tells of itself. */
export interface Machine {
  readonly id: string
  readonly told: string
}

/** What a machine has answered, as plain data. */
export interface Reply {
  readonly machine: Machine
  readonly answer: unknown
}

export interface Replies {
  readonly replies: ReadonlyArray<Reply>
  /** The machines that did not answer in time. */
  readonly missing: ReadonlyArray<Machine>
  /** Whether the store could be asked. If not, only this machine has answered. */
  readonly isStoreLost: boolean
}

export class FleetPeers extends Context.Service<
  FleetPeers,
  {
    /** The name of this machine's run. */
    readonly id: string
    /** Asks all machines. The question and the answers are plain data. */
    readonly ask: (question: unknown, to?: Addressed) => Effect.Effect<Replies>
    /** Answers questions of this machine and of others, until the scope closes. */
    readonly answer: (respond: Respond) => Effect.Effect<void, never, Scope.Scope>
  }
>()("effect-socks/fleet/FleetPeers") {}

interface Addressed {
  /** Asks this machine only. */
  readonly machine?: string
  /** How long answers are waited for, in milliseconds. */
  readonly patience?: number
}

type Respond = (question: unknown) => Effect.Effect<unknown>

interface Asked {
  readonly id: string
  readonly from: string
  /** Without it all machines are asked. */
  readonly to?: string
  readonly question: unknown
}

interface Answered {
  readonly id: string
  readonly from: string
  readonly answer: unknown
}

/** How long answers are waited for, if nothing else is said. */
const usualPatience = 1500

interface Options {
  readonly store: FleetStore["Service"]
  readonly keys: Keys
  readonly self: Machine
}

/** Until the scope closes. */
export const make = Effect.fnUntraced(function* ({
  store,
  keys,
  self
}: Options): Effect.fn.Return<FleetPeers["Service"], FleetStoreFailed, Scope.Scope> {
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const [questions, answers] = [`${keys.broadcast}:questions`, (id: string) => `${keys.channel(id)}:answers`]
  let respond: Respond | undefined
  /** The open questions of this machine. */
  const open = new Map<string, (answered: Answered) => void>()

  const receiveQuestion = (message: string) => {
    const { id, from, to, question }: Asked = JSON.parse(message)
    if (respond === undefined || from === self.id || (to !== undefined && to !== self.id)) return
    fork(
      Effect.map(respond(question), (answer) => {
        const answered: Answered = { id, from: self.id, answer }
        store.publish(answers(from), JSON.stringify(answered))
      })
    )
  }
  const receiveAnswer = (message: string) => {
    const answered: Answered = JSON.parse(message)
    open.get(answered.id)?.(answered)
  }
  yield* store.subscribe(questions, receiveQuestion)
  yield* store.subscribe(answers(self.id), receiveAnswer)

  const own = (question: unknown): Effect.Effect<ReadonlyArray<Reply>> =>
    respond === undefined
      ? Effect.succeed([])
      : Effect.map(respond(question), (answer) => [{ machine: self, answer }])

  const askOthers = Effect.fnUntraced(function* (
    others: ReadonlyArray<Machine>,
    asked: Asked,
    patience: number
  ) {
    const waiting = new Map(others.map((machine) => [machine.id, machine]))
    const replies: Array<Reply> = []
    if (waiting.size === 0) return { replies, missing: [] }
    const all = Effect.callback<void>((resume) => {
      open.set(asked.id, ({ from, answer }) => {
        const machine = waiting.get(from)
        if (machine === undefined) return
        waiting.delete(from)
        replies.push({ machine, answer })
        if (waiting.size === 0) resume(Effect.void)
      })
      store.publish(questions, JSON.stringify(asked))
    })
    yield* Effect.timeoutOption(all, patience).pipe(
      Effect.ensuring(Effect.sync(() => void open.delete(asked.id)))
    )
    return { replies, missing: [...waiting.values()] }
  })

  const machines = Effect.map(run(store, ListMachines, Beat.keys(keys), []), (rows) =>
    rows.map(([id, told]): Machine => ({ id, told }))
  )

  return {
    id: self.id,
    ask: Effect.fnUntraced(function* (question, { machine, patience = usualPatience } = {}) {
      const known = yield* Effect.option(machines)
      const others = Option.getOrElse(known, (): ReadonlyArray<Machine> => []).filter(
        ({ id }) => id !== self.id && (machine === undefined || id === machine)
      )
      const asked: Asked = {
        ...{ id: crypto.randomUUID(), from: self.id, question },
        ...(machine !== undefined && { to: machine })
      }
      const isForSelf = machine === undefined || machine === self.id
      const [mine, { replies, missing }] = yield* Effect.all(
        [isForSelf ? own(question) : Effect.succeed([]), askOthers(others, asked, patience)],
        { concurrency: "unbounded" }
      )
      return { replies: [...mine, ...replies], missing, isStoreLost: Option.isNone(known) }
    }),
    answer: (next) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          respond = next
        }),
        () =>
          Effect.sync(() => {
            respond = undefined
          })
      )
  }
})
