/**
 * HTTP proxies of others, from Debian, on loopback: what they make of the same requests and responses.
 */
import { chmod, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Origin from "./origin.ts"
import * as Processes from "./processes.ts"
import * as Temporary from "./temporary.ts"

/** The port of a squid that caches nothing. */
export const squid = started("/usr/sbin/squid", ["-N", "-f"], (port, directory) => [
  `http_port 127.0.0.1:${port}`,
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

/** The port of a tinyproxy. */
export const tinyproxy = started("tinyproxy", ["-d", "-c"], (port, directory) => [
  `Port ${port}`,
  "Listen 127.0.0.1",
  "Timeout 60",
  "MaxClients 100",
  "LogLevel Critical",
  `LogFile "${join(directory, "log")}"`
])

function started(
  command: string,
  flags: ReadonlyArray<string>,
  config: (port: number, directory: string) => ReadonlyArray<string>
): Effect.Effect<number, never, Scope.Scope> {
  return Effect.gen(function* () {
    const directory = yield* Temporary.directory
    const port = yield* Origin.freePort
    const file = join(directory, "conf")
    // Both give up root.
    yield* Effect.promise(() => chmod(directory, 0o777))
    yield* Effect.promise(() => writeFile(file, `${config(port, directory).join("\n")}\n`))
    yield* Processes.start(command, [...flags, file])
    yield* listening(port)
    return port
  })
}

/** Waits until there is a program on this port of 127.0.0.1. */
export const listening = Effect.fnUntraced(function* (port: number) {
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
