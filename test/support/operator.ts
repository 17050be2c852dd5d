/**
 * The built program, run as an operator would, and the lines that it logs.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What is run, for those who run it in another way than `node …`. */
export const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

export type Line = Readonly<Record<string, unknown>>

export interface Program {
  readonly pid: number
  /** Where it says that it listens. */
  readonly addresses: ReadonlyArray<string>
  /** The first line logged from the start on that has these fields. */
  readonly logged: (fields: Line) => Effect.Effect<Line>
  /** Tells it to stop, and gives its exit code. */
  readonly stop: Effect.Effect<number | null>
}

interface Running {
  readonly child: ChildProcess
  readonly lines: Array<Line>
  readonly errors: () => string
  readonly exit: Promise<number | null>
  readonly onLine: Set<() => void>
}

const run = (command: string, args: ReadonlyArray<string>, options: SpawnOptions): Running => {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options })
  const lines: Array<Line> = []
  const onLine = new Set<() => void>()
  let errors = ""
  let rest = ""
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n")
    rest = parts.pop()!
    for (const part of parts) if (part.startsWith("{")) lines.push(JSON.parse(part))
    for (const notice of onLine) notice()
  })
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors += text
  })
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve))
  return { child, lines, errors: () => errors, exit, onLine }
}

/** Runs the program until the scope closes; ready when this returns. */
export const start = Effect.fnUntraced(function* (
  args: ReadonlyArray<string>,
  options: SpawnOptions = {},
  [command, ...before]: readonly [string, ...ReadonlyArray<string>] = [process.execPath, main]
): Effect.fn.Return<Program, never, Scope.Scope> {
  const running = yield* Effect.acquireRelease(
    Effect.sync(() => run(command, [...before, "--log-level", "debug", ...args], options)),
    ({ child, exit }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return exit
      })
  )
  const { child, lines, exit, onLine, errors } = running
  const logged = (fields: Line) =>
    Effect.callback<Line>((resume) => {
      const look = () => {
        const line = lines.find((line) =>
          Object.entries(fields).every(([name, value]) => line[name] === value)
        )
        if (line === undefined) return
        onLine.delete(look)
        resume(Effect.succeed(line))
      }
      onLine.add(look)
      look()
      exit.then(() => {
        resume(Effect.die(new Error(`ended without logging ${JSON.stringify(fields)}: ${errors()}`)))
      })
    })
  const { addresses } = yield* logged({ message: "listening" })
  return {
    pid: child.pid!,
    addresses: addresses as ReadonlyArray<string>,
    logged,
    stop: Effect.promise(() => {
      child.kill("SIGTERM")
      return exit
    })
  }
})

/** Runs the program with arguments that it does not start with: its exit code, and what it says. */
export const refuse = (args: ReadonlyArray<string>, options: SpawnOptions = {}) =>
  Effect.promise(async () => {
    const { exit, errors, child } = run(process.execPath, [main, ...args], options)
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000)
    const code = await exit
    clearTimeout(timer)
    return { code, says: errors().trim() }
  })

/** What another program prints; empty if it fails. */
export const output = (command: string, args: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"], timeout: 10_000 })
    child.on("error", () => {})
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (part) => {
      text += part
    })
    await new Promise((resolve) => child.once("close", resolve))
    return text
  })
