// A server as a process: started on its core, and ended.
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import net from "node:net"
import { cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

function hasTaskset() {
  return spawnSync("taskset", ["--version"]).status === 0
}

/** The server has a core, the generator another, where there are two and `taskset` is here. */
export const cores = {
  server: 0,
  generator: cpus().length > 1 && hasTaskset() ? cpus().length - 1 : undefined
}

/** @typedef {import("./servers.js").Server} Server */

/**
 * @typedef {{ readonly pid: number, readonly port: number, readonly scratch: string, readonly msToListen: number,
 *   readonly generatorCore: number | undefined, readonly stop: () => Promise<void> }} Running
 */

/**
 * Resolves when the server answers. Its output goes to a file, as that of
 * a server whose log is kept does.
 *
 * @param {Server} server
 * @param {{ readonly env?: NodeJS.ProcessEnv, readonly args?: (scratch: string) => readonly string[],
 *   readonly nodeArgs?: readonly string[], readonly isFree?: boolean, readonly core?: number | undefined }} [more] if it is
 *   free, server and generator have all cores; the core of a server that is not the one measured
 * @returns {Promise<Running>}
 */
export const start = async (server, more = {}) => {
  await portsFree()
  const scratch = mkdtempSync(join(tmpdir(), "effect-socks-bench-"))
  const port = await freePort()
  const [program, ...args] = server.command(port, scratch)
  const generatorCore = more.isFree ? undefined : cores.generator
  const pinned = generatorCore === undefined ? [] : ["taskset", "-c", String(more.core ?? cores.server)]
  const [first, ...rest] = [
    ...pinned,
    program,
    ...(more.nodeArgs ?? []),
    ...args,
    ...(more.args?.(scratch) ?? [])
  ]
  const log = openSync(join(scratch, "log"), "w")
  const began = performance.now()
  const child = spawn(String(first), rest.map(String), {
    cwd: scratch,
    env: { ...withoutSettings, ...more.env },
    stdio: ["ignore", log, log],
    // A group of its own, so that its children end with it.
    detached: true
  })
  closeSync(log)
  const ended = once(child, "exit")
  groups.add(Number(child.pid))
  const stop = async () => {
    for (const signal of /** @type {const} */ (["SIGTERM", "SIGKILL"])) {
      signalGroup(Number(child.pid), signal)
      await Promise.race([ended, sleep(1000)])
    }
    groups.delete(Number(child.pid))
    rmSync(scratch, { recursive: true, force: true })
  }
  let msToListen = 0
  while (!(await answers(port, server.speaks))) {
    msToListen = performance.now() - began
    if (child.exitCode !== null || msToListen > 15_000) {
      const said = readFileSync(join(scratch, "log"), "utf8").trim().slice(-500)
      await stop()
      throw new Error(`${server.name} does not listen: ${said}`)
    }
    await sleep(2)
  }
  msToListen = performance.now() - began
  return { pid: Number(child.pid), port, scratch, msToListen, generatorCore, stop }
}

// Whoever runs this may have settings of the server in the environment.
const withoutSettings = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("SOCKS_"))
)

/** @type {Set<number>} */
const groups = new Set()

// No server outlives a run that is broken off.
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.once(signal, () => {
    for (const group of groups) signalGroup(group, "SIGKILL")
    process.exit(130)
  })
}

/** @param {number} group @param {NodeJS.Signals} signal */
const signalGroup = (group, signal) => {
  try {
    process.kill(-group, signal)
  } catch {
    // Nobody is left in it.
  }
}

/** Waits while most ports are in TIME_WAIT, for a minute or two at most: no server could listen, and no client connect. */
const portsFree = async () => {
  const [from, to] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split("\t").map(Number)
  const waiting = () => Number(/ tw (\d+)/.exec(readFileSync("/proc/net/sockstat", "utf8"))?.[1])
  while (waiting() > (Number(to) - Number(from)) / 2) await sleep(500)
}

/** @returns {Promise<number>} */
const freePort = async () => {
  const server = net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = /** @type {net.AddressInfo} */ (server.address())
  server.close()
  await once(server, "close")
  return port
}

/**
 * Whether a server answers there in its protocol. A connection alone says less: a primary that tries a port before its
 * workers listen accepts it, too.
 *
 * @param {number} port @param {Server["speaks"]} speaks @returns {Promise<boolean>}
 */
const answers = (port, speaks) =>
  new Promise((resolve) => {
    const [greeting, first] =
      speaks === "http" ? ["OPTIONS * HTTP/1.0\r\n\r\n", 72] : [Uint8Array.of(5, 1, 0), 5]
    const socket = net.connect(port, "127.0.0.1", () => socket.write(greeting))
    socket.on("data", ([byte]) => {
      // A socket that gets the port it connects to is connected to itself.
      resolve(byte === first && socket.localPort !== port)
      socket.destroy()
    })
    socket.on("error", () => {})
    socket.on("close", () => resolve(false))
  })
