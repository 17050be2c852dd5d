/**
 * The log where nobody reads it, where it cannot be written, and where the
 * terminal is closed: the server serves all the same, and ends as it should.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { itNeeds } from "../support/needs.ts"
import * as Program from "../support/program.ts"
import * as Sockets from "../support/sockets.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import { until } from "../support/until.ts"
import { freePort } from "../support/workers.ts"

interface Run extends Program.Spawned {
  readonly port: number
  readonly file: (name: string) => string
}

/** Runs a shell line, in which `"$@"` starts the server, until the scope closes; serves when this returns. */
const run = Effect.fnUntraced(function* (
  line: string,
  ...flags: ReadonlyArray<string>
): Effect.fn.Return<Run, never, Scope.Scope> {
  const port = yield* freePort
  const directory = yield* Temporary.directory
  const spawned = yield* Program.spawn(["--listen", `127.0.0.1:${port}`, "--drain-timeout", "1s", ...flags], {
    by: Program.shell(line),
    cwd: directory
  })
  yield* listens(port)
  return { ...spawned, port, file: (name) => join(directory, name) }
})

const listens = (port: number): Effect.Effect<void> =>
  Effect.scoped(Tcp.connect(port)).pipe(
    Effect.catch(() => Effect.andThen(Effect.sleep("50 millis"), listens(port))),
    Effect.asVoid
  )

/** So many sessions, one after the other. */
const sessions = Effect.fnUntraced(function* (port: number, count: number) {
  const origin = yield* Sockets.serve((socket) => socket.end("x"))
  for (let i = 0; i < count; i++) yield* Effect.scoped(Sockets.tunnel(port, origin.port))
})

/** What is in a file, once there is something in it: a shell makes it first and writes then. */
const contents = (path: string) =>
  until(() => (existsSync(path) && readFileSync(path, "utf8").trim()) || undefined)

describe.concurrent("the log", () => {
  for (const workers of [1, 2]) {
    // A pipe takes 64 KiB, which are some 170 lines.
    for (const [what, rest, count] of [
      ["a pipe that nobody reads", "| sleep 600", 200],
      ["a pipe whose reader is gone", "| true", 10],
      ["a full disk", ">/dev/full 2>/dev/full", 10]
    ] as const) {
      it.live(`delays no session and no stop with ${workers} workers: ${what}`, () =>
        Effect.gen(function* () {
          const { port, file } = yield* run(
            `( "$@" & echo $! > pid; wait $!; echo $? > exit ) ${rest}`,
            ...["--workers", String(workers)]
          )
          yield* sessions(port, count)
          process.kill(Number(readFileSync(file("pid"), "utf8")), "SIGTERM")
          assert.strictEqual(yield* contents(file("exit")), "0")
        })
      )
    }
  }

  it.live("is complete when its reader continues", () =>
    Effect.gen(function* () {
      const { port, file, lines, until } = yield* run('"$@" | { until test -e go; do sleep 0.1; done; cat; }')
      yield* sessions(port, 250)
      writeFileSync(file("go"), "")
      const ids = yield* until(() => {
        const ids = lines().flatMap(({ message, id }) => (message === "session" ? [id] : []))
        return ids.length === 250 ? ids : undefined
      })
      assert.strictEqual(new Set(ids).size, 250)
    })
  )
})

describe.concurrent("a terminal that is closed", () => {
  /** Returns when it is: the signal of a shell comes after that. */
  const close = ({ kill, pid }: Run) =>
    Effect.andThen(
      kill("SIGKILL"),
      until(() => !existsSync(`/proc/${pid}`))
    )

  /** The server on a terminal; to kill `script` closes it. */
  const onTerminal = (redirection: string, before = "") =>
    run(
      `printf '%s\\n' 'trap "" HUP' "${before} $* ${redirection} & echo \\$! > pid; wait \\$!; echo \\$? > exit" > run.sh
       exec script -qfc 'bash run.sh' /dev/null < <(sleep 600)`
    )

  itNeeds("script")("stops the server if the log goes there", () =>
    Effect.gen(function* () {
      const terminal = yield* onTerminal("")
      const { port, file } = terminal
      yield* sessions(port, 3)
      yield* close(terminal)
      // Shells pass it on, and so do most systems.
      process.kill(Number(readFileSync(file("pid"), "utf8")), "SIGHUP")
      assert.strictEqual(yield* contents(file("exit")), "0")
    })
  )

  itNeeds("script")("is a reload if the log goes to a file", () =>
    Effect.gen(function* () {
      const terminal = yield* onTerminal(">>log 2>&1")
      const { port, file } = terminal
      yield* close(terminal)
      const pid = Number(readFileSync(file("pid"), "utf8"))
      process.kill(pid, "SIGHUP")
      yield* until(() => readFileSync(file("log"), "utf8").includes('"message":"reloaded"'))
      yield* sessions(port, 3)
      process.kill(pid, "SIGTERM")
      assert.strictEqual(yield* contents(file("exit")), "0")
    })
  )

  itNeeds("script")("and no SIGHUP: the server goes on without a log, and stops as it should", () =>
    Effect.gen(function* () {
      const terminal = yield* onTerminal("", "setsid")
      const { port, file } = terminal
      const pid = Number(readFileSync(file("pid"), "utf8"))
      yield* close(terminal)
      yield* sessions(port, 3)
      process.kill(pid, "SIGTERM")
      assert.strictEqual(yield* contents(file("exit")), "0")
    })
  )
})
