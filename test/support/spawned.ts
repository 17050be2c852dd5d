/**
 * The built program as a process of its own, and what the system says of it.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/** One line of its log. */
export type Line = Readonly<Record<string, unknown>>

export interface Program {
  readonly pid: number
  readonly port: number
  readonly lines: ReadonlyArray<Line>
  /** The first line for which this holds, whether it is there already or yet to come. */
  readonly line: (holds: (line: Line) => boolean) => Effect.Effect<Line>
  /** The line that is written when the session of the client on this port has ended. */
  readonly session: (clientPort: number) => Effect.Effect<Line>
  /** Numbers of the descriptors it has open. */
  readonly descriptors: () => ReadonlyArray<number>
  /** Bytes of memory it holds. */
  readonly memory: () => number
  /** Milliseconds that it has spent running. */
  readonly cpu: () => number
}

export const Program = Context.Service<Program>("test/support/spawned/Program")

/** One program for all tests of a suite. */
export const layer = (flags: ReadonlyArray<string> = []): Layer.Layer<Program> =>
  Layer.effect(Program, start({ flags }))

/** Runs it until the scope closes, under a shell line of which `"$@"` is the program. */
export const start = Effect.fnUntraced(function* (options: {
  readonly flags?: ReadonlyArray<string>
  readonly nodeFlags?: ReadonlyArray<string>
  readonly shell?: string
}): Effect.fn.Return<Program, never, Scope.Scope> {
  const { flags = [], nodeFlags = [], shell = 'exec "$@"' } = options
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        "bash",
        ["-c", shell, "bash", process.execPath, ...nodeFlags, main, "--listen", "127.0.0.1:0", ...flags],
        {
          stdio: ["ignore", "pipe", "inherit"]
        }
      )
    ),
    stop
  )
  const lines: Array<Line> = []
  let rest = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n")
    rest = parts.pop()!
    for (const part of parts) lines.push(JSON.parse(part))
  })

  const line = (holds: (line: Line) => boolean) => until(() => lines.find(holds))
  const { addresses } = (yield* line(({ message }) => message === "listening")) as { addresses: [string] }
  const pid = child.pid!
  return {
    pid,
    port: Number(addresses[0].split(":").pop()),
    lines,
    line,
    session: (clientPort) => line(({ client }) => client === `127.0.0.1:${clientPort}`),
    descriptors: () => readdirSync(`/proc/${pid}/fd`).map(Number),
    memory: () => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024,
    cpu: () => {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /, "")
        .split(" ")
      return (Number(fields[11]) + Number(fields[12])) * 10
    }
  }
})

/** Looks again and again, until there is something to be had. */
export const until = <A>(look: () => A | undefined | false): Effect.Effect<A> =>
  Effect.suspend(() => {
    const found = look()
    return found === undefined || found === false
      ? Effect.andThen(Effect.sleep("10 millis"), until(look))
      : Effect.succeed(found)
  })

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

const stop = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGTERM")
    // Not its graceful stop is on trial here: another signal ends it at once.
    child.kill("SIGINT")
    const timer = setTimeout(() => child.kill("SIGKILL"), 1000)
    child.once("exit", () => clearTimeout(timer))
  })
