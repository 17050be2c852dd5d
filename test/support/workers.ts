/**
 * The program with two workers, and sessions that both of them serve.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Peer } from "../../src/testing/index.ts"
import * as Program from "./program.ts"
import * as Tcp from "./tcp.ts"

export interface Workers extends Program.Program {
  /** The processes that serve now. */
  readonly pids: Effect.Effect<ReadonlyArray<number>>
}

/** Serves when this returns. */
export const start = Effect.fnUntraced(function* (
  flags: ReadonlyArray<string> = [],
  env: Readonly<Record<string, string>> = {}
): Effect.fn.Return<Workers, never, Scope.Scope> {
  const program = yield* Program.start(
    [...(flags.includes("--config") ? [] : ["--workers", "2"]), "--log-level", "debug", ...flags],
    env
  )
  const pids = program.until((stdout) => {
    const found = Program.lines(stdout)
    const dead = found.filter(({ message }) => message === "a worker died").map(({ pid }) => pid)
    const alive = found
      .filter(({ message, pid }) => message === "a worker serves" && !dead.includes(pid))
      .map(({ pid }) => Number(pid))
    return alive.length === 2 ? alive : undefined
  })
  return { ...program, pids }
})

/** A port of 127.0.0.1 that nobody listens on. */
export const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** The process that has the other end of this client's connection. */
export const serverOf = (client: Peer, pids: ReadonlyArray<number>): number | undefined => {
  const { localPort, remotePort } = client.duplex as unknown as {
    readonly localPort: number
    readonly remotePort: number
  }
  const inode = connections().find(({ local, remote }) => local === remotePort && remote === localPort)?.inode
  return pids.find((pid) => inode !== undefined && sockets(pid).has(inode))
}

/** Sessions, at least one of them with each worker. */
export const sessions = Effect.fnUntraced(function* (
  port: number,
  pids: ReadonlyArray<number>
): Effect.fn.Return<
  ReadonlyArray<{ readonly client: Peer; readonly origin: Peer; readonly pid: number }>,
  string,
  Scope.Scope
> {
  const begun: Array<{ readonly client: Peer; readonly origin: Peer; readonly pid: number }> = []
  while (pids.some((pid) => begun.every((session) => session.pid !== pid))) {
    if (begun.length === 200) return yield* Effect.fail("one worker gets everything")
    const { client, origin } = yield* Tcp.session(port)
    begun.push({ client, origin, pid: serverOf(client, pids) ?? 0 })
  }
  return begun
})

/** proc_net(5): sl local rem st tx:rx tr:tm retrnsmt uid timeout inode */
const connections = () =>
  readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .slice(1, -1)
    .map((line) => line.trim().split(/\s+/))
    .map(([, local, remote, , , , , , , inode]) => ({
      local: Number.parseInt(String(local?.split(":")[1]), 16),
      remote: Number.parseInt(String(remote?.split(":")[1]), 16),
      inode: String(inode)
    }))

const sockets = (pid: number): ReadonlySet<string> => {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`)
    } catch {
      return ""
    }
  })
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []))
}
