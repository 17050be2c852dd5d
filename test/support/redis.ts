/**
 * A Redis server of a test's own: on a Unix-domain socket, and on a port of 127.0.0.1 where that is asked for.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { connect } from "node:net"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Temporary from "./temporary.ts"

export interface Redis {
  /** The URL for `--fleet`. */
  readonly url: string
  readonly socket: string
  readonly start: Effect.Effect<void>
  /** Kills it. What it had is gone. */
  readonly kill: Effect.Effect<void>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Sends a command, such as `FLUSHALL`, and returns the answer as it comes. */
  readonly command: (...words: ReadonlyArray<string>) => Effect.Effect<string>
  /** Milliseconds that it has spent running. */
  readonly pid: () => number
}

/** A server that is started and killed at will. It ends with the scope. */
export const make = Effect.fnUntraced(function* (
  options: {
    readonly port?: number
    readonly password?: string
    /** Runs as a cluster of one server, which has all hash slots, with its bus on this port. */
    readonly busPort?: number
  } = {}
): Effect.fn.Return<Redis, never, Scope.Scope> {
  const directory = yield* Temporary.directory
  const socket = join(directory, "redis.sock")
  let child: ChildProcess | undefined
  const login = options.password === undefined ? "" : `AUTH ${options.password}\r\n`

  const ask = (words: ReadonlyArray<string>) =>
    Effect.callback<string | undefined>((resume) => {
      const client = connect(socket)
      let text = ""
      client.setEncoding("utf8")
      client.on("connect", () => client.end(`${login}${words.join(" ")}\r\n`))
      client.on("data", (more) => {
        text += more
      })
      client.on("close", () => resume(Effect.succeed(text === "" ? undefined : text)))
      client.on("error", () => {})
      return Effect.sync(() => client.destroy())
    })

  const start = Effect.gen(function* () {
    child = spawn(
      "redis-server",
      [
        ...["--port", String(options.port ?? 0), "--bind", "127.0.0.1"],
        ...["--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", directory],
        ...(options.password === undefined ? [] : ["--requirepass", options.password]),
        ...(options.busPort === undefined
          ? []
          : ["--cluster-enabled", "yes", "--cluster-port", String(options.busPort)])
      ],
      { stdio: "ignore", cwd: directory }
    )
    while (!(yield* ask(["PING"]))?.includes("PONG")) yield* Effect.sleep("20 millis")
    if (options.busPort === undefined) return
    yield* ask(["CLUSTER", "ADDSLOTSRANGE", "0", "16383"])
    while (!(yield* ask(["CLUSTER", "INFO"]))?.includes("cluster_state:ok")) yield* Effect.sleep("20 millis")
  })

  const ended = Effect.callback<void>((resume) => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })
  yield* Effect.addFinalizer(() => ended)
  yield* start
  return {
    url:
      options.password === undefined
        ? `redis+unix://${socket}`
        : `redis+unix://:${options.password}@localhost${socket}`,
    socket,
    start,
    kill: ended,
    signal: (signal) => Effect.sync(() => child?.kill(signal)),
    command: (...words) => Effect.map(ask(words), (answer) => answer ?? ""),
    pid: () => child!.pid!
  }
})
