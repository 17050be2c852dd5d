/**
 * Sessions of all workers as a program around them sees them: their events, the list of them, and their end by hand.
 */
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Event } from "../../src/session/Event.ts"
import type { SessionSnapshot } from "../../src/session/SessionSnapshot.ts"
import * as Processes from "../support/processes.ts"
import type { Line } from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import * as Workers from "../support/workers.ts"

const script = fileURLToPath(new URL("../support/primary.mjs", import.meta.url))

/** Its whole lines so far. */
const linesOf = (stdout: string): ReadonlyArray<Line> =>
  stdout
    .slice(0, stdout.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))

/** The script, and what it is told. */
const start = Effect.gen(function* () {
  const port = yield* Workers.freePort
  const flags = ["--listen", `127.0.0.1:${port}`, "--user", "alice:secret", "--log-level", "debug"]
  const running = yield* Processes.start(process.execPath, [script, ...flags])
  const find = <A>(look: (lines: ReadonlyArray<Line>) => A | undefined) =>
    running.until((stdout) => look(linesOf(stdout)))
  // Each step has its time: nothing of it is bundled, and much is to be loaded.
  yield* find((lines) => lines.find(({ message }) => message === "loaded"))
  const ready = yield* find((lines) => lines.find(({ message }) => message === "ready"))
  const control = yield* Tcp.connect(Number(ready.port))
  const pids = ready.pids as ReadonlyArray<number>
  /** Tells it something, and waits for its answer, if it gives one. */
  const tell = (command: string, answer?: string) =>
    Effect.suspend(() => {
      const count = (lines: ReadonlyArray<Line>) => lines.filter(({ message }) => message === answer)
      const before = count(linesOf(running.stdout())).length
      return Effect.andThen(
        control.send(`${command}\n`),
        find((lines) => (answer === undefined ? {} : count(lines)[before]))
      )
    })
  const events = (lines: ReadonlyArray<Line>) =>
    lines.filter(({ message }) => message === "event").map(({ event }) => event as Event)
  return { port, pids, find, tell, events: () => events(linesOf(running.stdout())), eventsIn: events }
})

it.live("a program gets the events of all workers, lists their sessions and ends them by number", () =>
  Effect.gen(function* () {
    const { port, pids, find, tell, events, eventsIn } = yield* start
    const target = yield* Tcp.target
    const begin = Effect.map(Tcp.sessionOf("alice", port, target), ({ client, ...rest }) => ({
      client,
      ...rest
    }))

    // Nothing of these is told.
    yield* Workers.spread(pids, begin)
    assert.deepStrictEqual(events(), [])
    const before = (yield* tell("list", "list")).sessions as ReadonlyArray<SessionSnapshot>
    assert.strictEqual(new Set(before.map(({ id }) => id)).size, before.length)

    yield* tell("hear")
    // The workers are told of it, but not at once.
    yield* Effect.repeat(Tcp.logIn(port, "alice", "secret"), { until: () => events().length > 0 })
    const sessions = yield* Workers.spread(pids, begin)
    const begun = yield* find((lines) => {
      const found = eventsIn(lines).filter(({ _tag }) => _tag === "SessionConnected")
      return found.length >= sessions.length ? found : undefined
    })
    assert.include(begun[0], { user: "alice", target: `127.0.0.1:${target.port}`, rule: "no rules" })

    const listed = (yield* tell("list", "list")).sessions as ReadonlyArray<SessionSnapshot>
    assert.strictEqual(listed.length, before.length + sessions.length)
    for (const { client, pid } of sessions) {
      const { localPort } = client.duplex as unknown as { readonly localPort: number }
      const session = listed.find((one) => one.client === `127.0.0.1:${localPort}`)
      assert.include(session, { user: "alice", target: `127.0.0.1:${target.port}` })
      assert.strictEqual((yield* tell(`end ${session!.id}`, "end")).isFound, true, `of worker ${pid}`)
      assert.strictEqual(yield* client.ending, "reset")
      const ended = yield* find((lines) =>
        eventsIn(lines).find((event) => event._tag === "SessionEnded" && event.id === session!.id)
      )
      assert.include(ended, { outcome: "ended by operator", user: "alice", command: "CONNECT" })
      assert.strictEqual((yield* tell(`end ${session!.id}`, "end")).isFound, false)
    }
  })
)
