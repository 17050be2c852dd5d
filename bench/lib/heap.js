// What an idle session holds: what is on the heap with many of them, less what was
// there without, grouped by constructor.
import { once } from "node:events"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { load, loader } from "./load.js"
import { byOwner } from "./owners.js"
import { start } from "./process.js"
import { servers } from "./servers.js"
import { countObjects, difference } from "./snapshot.js"
import { bars, number, table } from "./tables.js"

/**
 * @typedef {{ readonly server: string, readonly sessions: number, readonly rows: readonly import("./snapshot.js").Share[]
 * }} Holding of one session
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
    // What the first sessions bring with them is not theirs.
    await load(running, ["rate", "--streams", "32", "--total", "2000"])
    await sleep(500)
    const before = countObjects(await snapshot(running))
    const generator = loader(running, ["idle", "--streams", String(sessions), "--wait"])
    await once(generator.stdout, "data")
    const after = countObjects(await snapshot(running))
    generator.stdin.end()
    await once(generator, "exit")
    const rows = difference(before, after, sessions)
    // Less than a word each is not the sessions'.
    return { server: server.name, sessions, rows: rows.filter(({ bytes }) => Math.abs(bytes) >= 8) }
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
    .map(({ server, sessions, rows }) => {
      const total = rows.reduce((sum, { bytes }) => sum + bytes, 0)
      const graph = bars(byOwner(rows), (bytes) => number(bytes, 0))
      const body = rows
        .filter(({ bytes }) => bytes >= 24)
        .map(({ name, count, bytes }) => [`\`${name}\``, number(count, 1), number(bytes, 0)])
      return [
        `**${server}**: ${number(total, 0)} bytes of live heap a session, of ${number(sessions, 0)}`,
        `\`\`\`\n${graph}\n\`\`\``,
        `<details><summary>one by one</summary>\n\n${table([["what", "how many", "bytes"], ...body])}\n\n</details>`
      ].join("\n\n")
    })
    .join("\n\n")
