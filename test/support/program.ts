/**
 * The built program, as its users start it.
 */
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Processes from "./processes.ts"

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

/** A line of the log. */
export type Line = Readonly<Record<string, unknown>>

export interface Program extends Processes.Running {
  /** Where it listens, `HOST:PORT` each. */
  readonly addresses: ReadonlyArray<string>
  /** The first of them. */
  readonly address: string
  readonly port: number
  /** The first line with these fields, as soon as it is written. */
  readonly logged: (fields: Line) => Effect.Effect<Line>
  /** Told to stop, and how it did. */
  readonly stop: Effect.Effect<Processes.Finished>
}

/** Runs it to its end. */
export const run = (flags: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) =>
  Processes.run(process.execPath, [main, ...flags], { ...(env && { env }) })

/** Starts it, and says nothing of what it does. */
export const spawn = (flags: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) =>
  Processes.start(process.execPath, [main, ...flags], { ...(env && { env }) })

/** Starts it by a shell line, in which `"$@"` is the program. */
export const shell = (line: string) => Processes.start("bash", ["-c", line, "bash", process.execPath, main])

/** Starts it, and waits until it listens: on a free port of 127.0.0.1, unless told otherwise, which its config file can do too. */
export const start = Effect.fnUntraced(function* (
  flags: ReadonlyArray<string> = [],
  env: Readonly<Record<string, string>> = {},
  isPlaced = flags.includes("--listen") || "SOCKS_LISTEN" in env
): Effect.fn.Return<Program, never, Scope.Scope> {
  const running = yield* spawn([...(isPlaced ? [] : ["--listen", "127.0.0.1:0"]), ...flags], env)
  const logged = (fields: Line) =>
    running.until((stdout) =>
      lines(stdout).find((line) => Object.entries(fields).every(([name, value]) => line[name] === value))
    )
  const { addresses } = (yield* logged({ message: "listening" })) as { addresses: ReadonlyArray<string> }
  const address = addresses[0]!
  return {
    ...running,
    addresses,
    address,
    port: Number(address.slice(address.lastIndexOf(":") + 1)),
    logged,
    stop: Effect.andThen(running.kill("SIGTERM"), running.within("5 seconds"))
  }
})

/** Every whole line of JSON in it. */
export const lines = (stdout: string): ReadonlyArray<Line> =>
  stdout
    .split("\n")
    .slice(0, -1)
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))
