/**
 * The built program, as its users start it.
 */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { afterAll } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Processes from "./processes.ts"

/** A line of the log. */
export type Line = Readonly<Record<string, unknown>>

export interface Options extends Processes.Options {
  /** A command that is given the program's command line, to run that in its own way. */
  readonly by?: ReadonlyArray<string>
  readonly nodeFlags?: ReadonlyArray<string>
}

export interface Spawned extends Processes.Running {
  /** What it has logged so far. */
  readonly lines: () => ReadonlyArray<Line>
  /** The first line with these fields, or the one of that number, as soon as it is written. */
  readonly logged: (fields: Line, number?: number) => Effect.Effect<Line>
}

export interface Program extends Spawned {
  /** As `logged`, also of lines that were written before a test of a file began. */
  readonly sinceStart: Spawned["logged"]
  /** Where it listens. */
  readonly addresses: ReadonlyArray<string>
  /** The first of them. */
  readonly address: string
  readonly port: number
  /** The line that is written when the session of the client on this port of 127.0.0.1 has ended. */
  readonly session: (clientPort: number) => Effect.Effect<Line>
  /** Told to stop, and how it did. */
  readonly stop: Effect.Effect<Processes.Finished>
  /** Numbers of the descriptors it has open. */
  readonly descriptors: () => ReadonlyArray<number>
  /** Bytes of memory it holds. */
  readonly memory: () => number
  /** Milliseconds that it has spent running. */
  readonly cpu: () => number
}

export const Program = Context.Service<Program>("test/support/program/Program")

/** One program for all tests of a suite. */
export const layer = (...args: Parameters<typeof start>): Layer.Layer<Program> =>
  Layer.effect(Program, start(...args))

/**
 * One program for the tests of a file, one after the other, which is where this is called: it starts when the first
 * of them asks for it. Each test sees of its log what is written from then on.
 */
export const forFile = (...args: Parameters<typeof start>): Effect.Effect<Program> => {
  const scope = Scope.makeUnsafe()
  const started = Effect.runSync(Effect.cached(Scope.provide(start(...args), scope)))
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return Effect.map(started, (program) => ({ ...program, ...log(program, program.lines().length) }))
}

/** Runs it to its end. */
export const run = (flags: ReadonlyArray<string>, options: Options = {}) =>
  Processes.run(...commandLine(flags, options))

/** Starts it, and waits for nothing. */
export const spawn = (
  flags: ReadonlyArray<string>,
  options: Options = {}
): Effect.Effect<Spawned, never, Scope.Scope> =>
  Effect.map(Processes.start(...commandLine(flags, options)), (running) => {
    const lines = reader(running.stdout)
    return { ...running, ...log({ lines, until: running.until }, 0) }
  })

/** The log of a program from this line on. */
const log = (program: Pick<Spawned, "lines" | "until">, from: number): Pick<Spawned, "lines" | "logged"> => {
  const lines = () => program.lines().slice(from)
  const logged = (fields: Line, number = 1) => {
    const wanted = Object.entries(fields)
    return program.until(
      () => lines().filter((line) => wanted.every(([name, value]) => line[name] === value))[number - 1]
    )
  }
  return { lines, logged }
}

/** Starts it, and waits until it listens: on a free port of 127.0.0.1, if neither flags, environment nor file say where. */
export const start = Effect.fnUntraced(function* (
  flags: ReadonlyArray<string> = [],
  options: Options = {}
): Effect.fn.Return<Program, never, Scope.Scope> {
  const isPlaced =
    flags.includes("--listen") || flags.includes("--config") || "SOCKS_LISTEN" in (options.env ?? {})
  const spawned = yield* spawn([...(isPlaced ? [] : ["--listen", "127.0.0.1:0"]), ...flags], options)
  const { addresses } = (yield* spawned.logged({ message: "listening" })) as { addresses: [string] }
  return {
    ...spawned,
    sinceStart: spawned.logged,
    ...resources(spawned.pid!),
    addresses,
    address: addresses[0],
    port: portOf(addresses[0]),
    session: (clientPort) => spawned.logged({ client: `127.0.0.1:${clientPort}` }),
    stop: Effect.andThen(spawned.kill("SIGTERM"), spawned.within("5 seconds"))
  }
})

/** With so many open files at most. */
export const withFiles = (count: number): Options => ({ by: shell(`ulimit -n ${count}; exec "$@"`) })

/** A line of a shell, in which `"$@"` is the program. */
export const shell = (line: string): ReadonlyArray<string> => ["bash", "-c", line, "bash"]

/** Of `HOST:PORT`, or of `HOST:PORT?OPTIONS`. */
export const portOf = (address: string): number => Number(/:(\d+)(?:\?|$)/.exec(address)?.[1])

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

const commandLine = (
  flags: ReadonlyArray<string>,
  { by = [], nodeFlags = [], ...options }: Options
): Parameters<typeof Processes.start> => {
  const [command, ...args] = [...by, process.execPath, ...nodeFlags, main, ...flags]
  return [command!, args, options]
}

/** Every whole line of JSON in a text that grows, of which each part is read once. */
const reader = (text: () => string) => {
  const lines: Array<Line> = []
  let read = 0
  return (): ReadonlyArray<Line> => {
    const all = text()
    for (let end = all.indexOf("\n", read); end >= 0; end = all.indexOf("\n", read)) {
      if (all[read] === "{") lines.push(JSON.parse(all.slice(read, end)))
      read = end + 1
    }
    return lines
  }
}

/** What the system says of a process. */
const resources = (pid: number) => ({
  descriptors: () => readdirSync(`/proc/${pid}/fd`).map(Number),
  memory: () => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024,
  cpu: () => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ")
    return (Number(fields[11]) + Number(fields[12])) * 10
  }
})
