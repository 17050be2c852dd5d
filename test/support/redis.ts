/**
 * A Redis server of a test's own: on a Unix-domain socket, and on a port of 127.0.0.1 where that is asked for.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Processes from "./processes.ts"
import * as Tcp from "./tcp.ts"
import * as Temporary from "./temporary.ts"
import { freePort } from "./workers.ts"

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

export interface Options {
  readonly port?: number
  /** The address of that port. */
  readonly bind?: string
  readonly password?: string
  /** Runs as a cluster of one server, which has all hash slots, with its bus on this port. */
  readonly busPort?: number
  /** More of its command line. */
  readonly flags?: ReadonlyArray<string>
  /** A command that is given the server's command line. */
  readonly by?: ReadonlyArray<string>
}

/** A server that is started and killed at will. It ends with the scope. */
export const make = Effect.fnUntraced(function* (
  options: Options = {}
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
    const [command, ...args] = [
      ...[...(options.by ?? []), "redis-server"],
      ...["--port", String(options.port ?? 0), "--bind", options.bind ?? "127.0.0.1"],
      ...["--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", directory],
      ...(options.password === undefined ? [] : ["--requirepass", options.password]),
      ...(options.busPort === undefined
        ? []
        : ["--cluster-enabled", "yes", "--cluster-port", String(options.busPort)]),
      ...(options.flags ?? [])
    ]
    child = spawn(command!, args, { stdio: "ignore", cwd: directory })
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

/** A replica of the server on this port of 127.0.0.1, when it has all that the server has. */
export const replica = Effect.fnUntraced(function* (primary: number, options: Options = {}) {
  const { password } = options
  const own = yield* make({
    ...options,
    flags: [
      ...["--replicaof", "127.0.0.1", String(primary)],
      ...(password === undefined ? [] : ["--masterauth", password])
    ]
  })
  while (!/master_link_status:up/.test(yield* own.command("INFO", "replication"))) {
    yield* Effect.sleep("20 millis")
  }
  return own
})

/** What a user of the store needs for a fleet of this prefix, as `ACL SETUSER` takes it. docs/fleet.md has it, too. */
export const rights = (prefix: string): string =>
  `resetkeys ~${prefix}:* resetchannels &${prefix}:* -@all +@connection +@hash +@set +@sortedset ` +
  "+eval +evalsha +del +exists +pexpire +time +info +publish +subscribe"

/** A node of a cluster, which is alone at first and has no keys. */
export const node = Effect.gen(function* () {
  const [port, bus] = [yield* freePort, yield* freePort]
  const flags = ["--cluster-enabled", "yes", "--cluster-port", String(bus)]
  return { ...(yield* make({ port, flags })), port, bus }
})

/** A Sentinel that watches the server on a port. It ends with the scope. */
export const sentinel = Effect.fnUntraced(function* (port: number, watched: number) {
  const config = join(yield* Temporary.directory, "sentinel.conf")
  writeFileSync(config, `port ${port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 ${watched} 1\n`)
  yield* Processes.start("redis-server", [config, "--sentinel"])
  while ((yield* Effect.exit(Effect.scoped(Tcp.connect(port))))._tag === "Failure")
    yield* Effect.sleep("20 millis")
})

/** A port of 127.0.0.1 that leads to one port, and then to another. */
export const front = Effect.fnUntraced(function* (first: number) {
  let target = first
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const onward = connect(target, "127.0.0.1")
    for (const [from, to] of [
      [client, onward],
      [onward, client]
    ] as const) {
      open.add(from)
      from.on("error", () => {})
      from.on("close", () => to.destroy())
      from.pipe(to)
    }
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        server.close()
        for (const socket of open) socket.destroy()
      })
  )
  return {
    port: (server.address() as AddressInfo).port,
    leadTo: (port: number) => {
      target = port
    }
  }
})
