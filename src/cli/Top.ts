/**
 * `effect-socks top`: the sessions of a running server, as they change.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Terminal from "effect/Terminal"
import type { Client } from "../admin/Client.ts"
import type * as Sources from "../config/Sources.ts"
import * as AdminTool from "./AdminTool.ts"
import * as TopScreen from "./TopScreen.ts"

interface Asked {
  readonly json: boolean
  /** Seconds. */
  readonly interval: number
  /** Number of looks; 0 for no end. */
  readonly times: number
}

export const run = (given: Sources.Given, { json, interval, times }: Asked) =>
  AdminTool.run(given, (client, user) =>
    Effect.gen(function* () {
      const pause = `${Math.max(1, interval)} seconds` as const
      const look = (state: TopScreen.State) => lookAt(client, state, user)
      if (json) return yield* printing(look, times, pause)
      if (process.stdout.isTTY && process.stdin.isTTY) return yield* watching(client, look, pause)
      return yield* new AdminTool.AdminFailed({ message: "top takes a terminal; --json prints for programs" })
    })
  )

/** The status of the server, and its sessions in the order of the screen. */
const lookAt = Effect.fnUntraced(function* (
  client: Client,
  { sort, isDescending, search }: TopScreen.State,
  user?: string
) {
  const query = {
    ...{ sort, order: isDescending ? ("desc" as const) : ("asc" as const), limit: 200 },
    ...(search !== "" && { search }),
    ...(user !== undefined && { user })
  }
  const [status, { body, headers }, history] = yield* Effect.all(
    [client.server.status(), client.sessions.list({ query }), client.server.history()],
    { concurrency: "unbounded" }
  )
  return {
    at: yield* Clock.currentTimeMillis,
    status,
    sessions: body,
    total: headers["x-total-count"],
    rates: TopScreen.ratesOf(history)
  }
})

type Look = (state: TopScreen.State) => ReturnType<typeof lookAt>

/** A line of JSON for each look. */
const printing = (look: Look, times: number, pause: `${number} seconds`) =>
  Effect.gen(function* () {
    for (let count = 1; ; count++) {
      yield* Console.log(JSON.stringify(yield* look(TopScreen.initial)))
      if (count === times) return
      yield* Effect.sleep(pause)
    }
  })

/** A screen that keys change. The terminal is as before at the end. */
const watching = (client: Client, look: Look, pause: `${number} seconds`) =>
  Effect.gen(function* () {
    const keys = yield* (yield* Terminal.Terminal).readInput
    let state = TopScreen.initial
    yield* Effect.acquireRelease(write("\u001b[?1049h\u001b[?25l"), () => write("\u001b[?25h\u001b[?1049l"))
    while (true) {
      const seen = yield* look(state)
      const ticking = yield* Effect.forkChild(Effect.sleep(pause))
      let isSame = true
      while (isSame) {
        const { columns = 80, rows = 24 } = process.stdout
        yield* write(TopScreen.render(state, seen, { columns, rows }))
        const key = yield* Effect.raceFirst(
          Effect.asSome(Queue.take(keys)),
          Effect.as(Effect.exit(Effect.suspend(() => awaiting(ticking))), Option.none())
        )
        if (Option.isNone(key)) break
        const { input, key: pressed } = key.value
        const next = TopScreen.press(state, seen, pressed.name, Option.getOrUndefined(input))
        if (next === "quit") return
        if (next.killing !== undefined) {
          yield* Effect.exit(client.sessions.end({ params: { id: next.killing } }))
        }
        isSame = next.killing === undefined && TopScreen.isSameQuery(state, next.state)
        state = next.state
      }
      ticking.interruptUnsafe()
    }
  }).pipe(
    Effect.scoped,
    // Ctrl-C.
    Effect.catchTag("Done", () => Effect.void)
  )

const awaiting = (fiber: { readonly addObserver: (done: () => void) => () => void }) =>
  Effect.callback<void>((resume) => {
    const forget = fiber.addObserver(() => resume(Effect.void))
    return Effect.sync(forget)
  })

const write = (text: string) => Effect.sync(() => void process.stdout.write(text))
