/**
 * `effect-socks top`: the sessions of a running server, as they change.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
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
    const isPlain = (process.env.NO_COLOR ?? "") !== ""
    const resized = yield* resizing
    yield* Effect.acquireRelease(write(TopScreen.begin), () => write(TopScreen.end))
    while (true) {
      const seen = yield* look(state)
      const ticking = yield* Effect.forkChild(Effect.sleep(pause))
      let isSame = true
      while (isSame) {
        const { columns = 80, rows = 24 } = process.stdout
        yield* write(TopScreen.render(state, seen, { columns, rows, isPlain }))
        const came = yield* Effect.raceAllFirst([
          Queue.take(keys),
          Effect.as(resized.await, "resized" as const),
          Effect.as(Effect.exit(Effect.suspend(() => awaiting(ticking))), "over" as const)
        ])
        if (came === "over") break
        if (came === "resized") {
          resized.closeUnsafe()
          continue
        }
        const { input, key: pressed } = came
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

/** Open from the time that the terminal has another size. */
const resizing = Effect.gen(function* () {
  const resized = Latch.makeUnsafe()
  const open = () => void resized.openUnsafe()
  yield* Effect.acquireRelease(
    Effect.sync(() => process.stdout.on("resize", open)),
    () => Effect.sync(() => process.stdout.off("resize", open))
  )
  return resized
})

const awaiting = (fiber: { readonly addObserver: (done: () => void) => () => void }) =>
  Effect.callback<void>((resume) => {
    const forget = fiber.addObserver(() => resume(Effect.void))
    return Effect.sync(forget)
  })

const write = (text: string) => Effect.sync(() => void process.stdout.write(text))
