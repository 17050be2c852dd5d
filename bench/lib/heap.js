// What an idle session holds: what is on the heap with many of them, less what was
// there without, grouped by constructor.
import { once } from "node:events"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { load, loader } from "./load.js"
import { costOf } from "./proc.js"
import { start } from "./process.js"
import { servers } from "./servers.js"
import { countObjects, difference } from "./snapshot.js"
import { number, table } from "./tables.js"

/**
 * @typedef {{ readonly server: string, readonly sessions: number, readonly rss: number, readonly heap: number,
 *   readonly rows: readonly import("./snapshot.js").Share[] }} Holding bytes of one session
 */

/** @param {{ readonly quick: boolean }} options @returns {Promise<readonly Holding[]>} */
export const measureHeap = async ({ quick }) => {
  const own = servers.filter(({ name }) => name === "effect-socks" || name === "node-pipe")
  const results = []
  for (const server of own) results.push(await holding(server, quick ? 1000 : 5000))
  return results
}

/** @param {import("./servers.js").Server} server @param {number} sessions @returns {Promise<Holding>} */
const holding = async (server, sessions) => {
  const running = await start(server, { nodeArgs: ["--heapsnapshot-signal=SIGUSR2"] })
  try {
    await load(running, ["rate", "--streams", "32", "--total", "2000"])
    await sleep(500)
    const before = countObjects(await snapshot(running))
    const rss = costOf(running.pid).rss
    const generator = loader(running, ["idle", "--streams", String(sessions), "--wait"])
    await once(generator.stdout, "data")
    const held = costOf(running.pid).rss - rss
    const after = countObjects(await snapshot(running))
    generator.stdin.end()
    await once(generator, "exit")
    const rows = difference(before, after, sessions)
    const heap = rows.reduce((sum, row) => sum + row.bytes, 0)
    return { server: server.name, sessions, rss: held / sessions, heap, rows: rows.slice(0, 30) }
  } finally {
    await running.stop()
  }
}

/** Has the server write one, which also collects garbage. @param {import("./process.js").Running} running */
const snapshot = async ({ pid, scratch }) => {
  const snapshots = () => readdirSync(scratch).filter((name) => name.endsWith(".heapsnapshot"))
  const known = snapshots()
  process.kill(pid, "SIGUSR2")
  for (let size = -1; ; await sleep(500)) {
    const name = snapshots().find((it) => !known.includes(it))
    if (name === undefined) continue
    const path = join(scratch, name)
    const grown = statSync(path).size
    if (grown > 0 && grown === size) return JSON.parse(readFileSync(path, "utf8"))
    size = grown
  }
}

/** @param {readonly Holding[]} all */
export const heapReport = (all) =>
  all
    .map(({ server, sessions, rss, heap, rows }) => {
      const head = `**${server}**: ${number(heap, 0)} bytes of live heap and ${number(rss, 0)} bytes of memory (RSS) a session, of ${number(sessions, 0)}.`
      const body = rows.map(({ name, count, bytes }) => [name, number(count, 1), number(bytes, 0)])
      return `${head}\n\n${table([["what", "how many", "bytes"], ...body])}`
    })
    .join("\n\n")
