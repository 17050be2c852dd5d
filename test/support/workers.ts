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
  options?: Program.Options
): Effect.fn.Return<Workers, never, Scope.Scope> {
  const program = yield* Program.start(
    [...(flags.includes("--config") ? [] : ["--workers", "2"]), "--log-level", "debug", ...flags],
    options
  )
  const pids = program.until(() => {
    const found = program.lines()
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

/** The processes that have the other ends of these clients' connections, in one look: it takes long on a busy machine. */
export const serversOf = (
  clients: ReadonlyArray<Peer>,
  pids: ReadonlyArray<number>
): ReadonlyArray<number | undefined> => {
  const inodes = connections()
  const owners = new Map(pids.flatMap((pid) => Array.from(sockets(pid), (inode) => [inode, pid] as const)))
  return clients.map(({ duplex }) => {
    const { localPort, remotePort } = duplex as unknown as {
      readonly localPort: number
      readonly remotePort: number
    }
    return owners.get(inodes.get(`${remotePort} ${localPort}`) ?? "")
  })
}

/** Does something with one client after the other, until each worker serves at least one of them. */
export const spread = Effect.fnUntraced(function* <A extends { readonly client: Peer }, E, R>(
  pids: ReadonlyArray<number>,
  begin: Effect.Effect<A, E, R>
): Effect.fn.Return<ReadonlyArray<A & { readonly pid: number }>, E | string, R> {
  let begun: ReadonlyArray<A & { readonly pid: number }> = []
  while (pids.some((pid) => begun.every((one) => one.pid !== pid))) {
    if (begun.length > 200) return yield* Effect.fail("one worker gets everything")
    const more = yield* Effect.replicateEffect(begin, 6)
    const servers = serversOf(
      more.map(({ client }) => client),
      pids
    )
    begun = [...begun, ...more.map((one, index) => ({ ...one, pid: servers[index] ?? 0 }))]
  }
  return begun
})

/** Sessions, at least one of them with each worker. */
export const sessions = (port: number, pids: ReadonlyArray<number>) => spread(pids, Tcp.session(port))

/** proc_net(5): sl local rem st tx:rx tr:tm retrnsmt uid timeout inode. Inodes of those that are established, by both ports. */
const connections = (): ReadonlyMap<string, string> =>
  new Map(
    Array.from(
      readFileSync("/proc/net/tcp", "utf8").matchAll(
        /^ *\d+: \w+:(\w{4}) \w+:(\w{4}) 01 \S+ \S+ \S+ +\d+ +\d+ (\d+)/gm
      ),
      ([, local = "", remote = "", inode = ""]) =>
        [`${Number.parseInt(local, 16)} ${Number.parseInt(remote, 16)}`, inode] as const
    )
  )

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
