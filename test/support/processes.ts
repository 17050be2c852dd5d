/**
 * Child processes that never outlive their test, with all they write.
 */
import { spawn } from "node:child_process"
import { EventEmitter } from "node:events"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** How long is waited for a process before the test fails, with what the process wrote. A test may take longer. */
const patience = "45 seconds"

export interface Options {
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** How a process ended, and what it wrote. */
export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly pid: number | undefined
  /** All that it has written so far. */
  readonly stdout: () => string
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** The first thing that `look` finds, which is asked again after everything that is written. */
  readonly until: <A>(look: (stdout: string) => A | undefined) => Effect.Effect<A>
  /** Its end. Kills it and fails the test if that takes longer than this. */
  readonly within: (deadline: Duration.Input) => Effect.Effect<Finished>
}

/** Starts a process, which is killed with all its children, and has ended, when the scope has closed. */
export const start = (
  command: string,
  args: ReadonlyArray<string>,
  { cwd, env }: Options = {}
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => launch(command, args, { cwd, env: { ...inherited, ...env } })),
      ({ killed }) => killed
    ),
    ({ child, changes, state }) => {
      const poll = <A>(look: () => A | undefined) =>
        Effect.callback<A>((resume) => {
          const check = () => {
            const found = look()
            if (found !== undefined) resume(Effect.succeed(found))
          }
          changes.on("change", check)
          check()
          return Effect.sync(() => changes.off("change", check))
        })
      const shown = () => `${[command, ...args].join(" ")}\n${state.stdout}\n${state.stderr}`
      return {
        pid: child.pid,
        stdout: () => state.stdout,
        kill: (signal) => Effect.sync(() => child.kill(signal)),
        until: (look) =>
          Effect.raceFirst(
            poll(() => look(state.stdout)),
            poll(() =>
              state.finished && look(state.stdout) === undefined ? state.finished : undefined
            ).pipe(Effect.flatMap(({ code }) => Effect.die(new Error(`ended with ${code}: ${shown()}`))))
          ).pipe(orDieAfter(patience, () => `never wrote what was waited for: ${shown()}`)),
        within: (deadline) =>
          poll(() => state.finished).pipe(orDieAfter(deadline, () => `did not end: ${shown()}`))
      }
    }
  )

/** Runs a process to its end, within 45 seconds. */
export const run = (
  command: string,
  args: ReadonlyArray<string>,
  options?: Options
): Effect.Effect<Finished> =>
  Effect.scoped(Effect.flatMap(start(command, args, options), ({ within }) => within(patience)))

/** What a process writes until its end, whatever that is. */
export const output = (...args: Parameters<typeof run>): Effect.Effect<string> =>
  Effect.map(run(...args), ({ stdout }) => stdout)

const orDieAfter = (deadline: Duration.Input, message: () => string) =>
  Effect.timeoutOrElse({
    duration: deadline,
    orElse: () => Effect.suspend(() => Effect.die(new Error(message())))
  })

// Neither a proxy nor a setting of the one who runs the tests, but the transport that they are run for.
const { TEST_TRANSPORT } = process.env
const inherited = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^SOCKS_|_proxy$/i.test(name))),
  ...(TEST_TRANSPORT !== undefined && { SOCKS_TRANSPORT: TEST_TRANSPORT })
}

const launch = (
  command: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd: string | undefined; readonly env: NodeJS.ProcessEnv }
) => {
  // Detached: a process group of its own, to be killed as one.
  const child = spawn(command, args, { ...options, detached: true, stdio: ["ignore", "pipe", "pipe"] })
  const state: { stdout: string; stderr: string; finished?: Finished } = { stdout: "", stderr: "" }
  const changes = new EventEmitter().setMaxListeners(0)
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      state[name] += text
      changes.emit("change")
    })
  }
  const finish = (code: number | null, signal: NodeJS.Signals | null) => {
    const { stdout, stderr } = state
    state.finished ??= { code, signal, stdout, stderr }
    changes.emit("change")
  }
  child.on("close", finish)
  child.on("error", (error) => {
    state.stderr += error.message
    finish(null, null)
  })
  const ended = new Promise((resolve) => child.once("exit", resolve).once("error", resolve))
  const killed = Effect.promise(async () => {
    if (state.finished || child.pid === undefined) return
    try {
      process.kill(-child.pid, "SIGKILL")
    } catch {
      // Gone in this very moment.
    }
    await ended
  })
  return { child, changes, state, killed }
}
