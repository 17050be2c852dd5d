/**
 * HTTP proxies of others, from Debian, on loopback or in a network namespace: what they make of the same requests and
 * responses.
 */
import { chmod, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Origin from "./origin.ts"
import * as Processes from "./processes.ts"
import * as Temporary from "./temporary.ts"

/** Where a program runs and listens. */
export interface Place {
  /** A command that runs the command line behind it there. */
  readonly by: ReadonlyArray<string>
  readonly host: string
  /** A port that is free there. */
  readonly port: Effect.Effect<number>
}

export const here: Place = { by: [], host: "127.0.0.1", port: Origin.freePort }

/** Starts a program at a place. */
export const startAt = ({ by }: Place, command: string, args: ReadonlyArray<string>) => {
  const [first, ...rest] = [...by, command, ...args]
  return Processes.start(first!, rest)
}

/** A squid that caches nothing. */
export const squidAt = started("/usr/sbin/squid", ["-N", "-f"], (host, port, directory) => [
  `http_port ${host}:${port}`,
  "http_access allow all",
  "cache deny all",
  "access_log none",
  `cache_log ${join(directory, "cache.log")}`,
  `coredump_dir ${directory}`,
  `pid_filename ${join(directory, "pid")}`,
  "netdb_filename none",
  "pinger_enable off",
  "visible_hostname squid.example",
  "shutdown_lifetime 0 seconds"
])

/** A tinyproxy. */
export const tinyproxyAt = started("tinyproxy", ["-d", "-c"], (host, port, directory) => [
  `Port ${port}`,
  `Listen ${host}`,
  "Timeout 60",
  "MaxClients 100",
  "LogLevel Critical",
  `LogFile "${join(directory, "log")}"`
])

/** The ports of these on loopback. */
export const squid = squidAt(here)
export const tinyproxy = tinyproxyAt(here)

function started(
  command: string,
  flags: ReadonlyArray<string>,
  config: (host: string, port: number, directory: string) => ReadonlyArray<string>
): (place: Place) => Effect.Effect<number, never, Scope.Scope> {
  return Effect.fnUntraced(function* (place) {
    const directory = yield* Temporary.directory
    const port = yield* place.port
    const file = join(directory, "conf")
    // Both give up root.
    yield* Effect.promise(() => chmod(directory, 0o777))
    yield* Effect.promise(() => writeFile(file, `${config(place.host, port, directory).join("\n")}\n`))
    yield* startAt(place, command, [...flags, file])
    yield* listening(place, port)
    return port
  })
}

/** Waits until there is a program on this port of a place. */
export const listening = Effect.fnUntraced(function* ({ by, host }: Place, port: number) {
  if (by.length > 0) {
    const [first, ...rest] = [
      ...by,
      "bash",
      "-c",
      `until (exec 3<>/dev/tcp/${host}/${port}) 2>/dev/null; do sleep 0.05; done`
    ]
    return void (yield* Processes.run(first!, rest))
  }
  while (!(yield* listens(port))) yield* Effect.sleep("50 millis")
})

const listens = (port: number) =>
  Effect.callback<boolean>((resume) => {
    const socket = connect(port, "127.0.0.1")
    const over = (found: boolean) => {
      socket.destroy()
      resume(Effect.succeed(found))
    }
    socket.on("connect", () => over(true)).on("error", () => over(false))
  })
