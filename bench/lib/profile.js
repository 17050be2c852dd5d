// Where the main thread's time goes while sessions come and go: V8's own samples,
// by whose code it was.
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { load } from "./load.js"
import { placeOf } from "./places.js"
import { start } from "./process.js"
import { servers } from "./servers.js"
import { bars, number, table } from "./tables.js"

/**
 * @typedef {{ readonly callFrame: { readonly functionName: string, readonly url: string, readonly lineNumber: number },
 *   readonly id: number }} Node
 * @typedef {{ readonly nodes: readonly Node[], readonly samples: readonly number[], readonly timeDeltas: readonly number[] }} Profile
 * @typedef {{ readonly name: string, readonly owner: string, readonly us: number }} Share of one session
 * @typedef {{ readonly server: string, readonly sessions: number, readonly rows: readonly Share[] }} Spending
 */

/** @param {{ readonly quick: boolean }} options @returns {Promise<readonly Spending[]>} */
export const measureProfile = async ({ quick }) => {
  const own = servers.filter(({ name }) => name === "effect-socks" || name === "node-pipe")
  const results = []
  for (const server of own) results.push(await spending(server, quick ? 5000 : 40_000))
  return results
}

/** A profile is written when the process exits, which servers do not when they are told to end. */
const exiting = "data:text/javascript,process.prependListener('SIGTERM',()=>process.exit())"

/** @param {import("./servers.js").Server} server @param {number} sessions @returns {Promise<Spending>} */
const spending = async (server, sessions) => {
  const nodeArgs = ["--cpu-prof", "--cpu-prof-interval", "200", "--import", exiting]
  const running = await start(server, { nodeArgs })
  try {
    await load(running, ["rate", "--streams", "32", "--total", String(sessions)])
    process.kill(running.pid, "SIGTERM")
    const rows = shares(await written(running.scratch), sessions)
    return { server: server.name, sessions, rows }
  } finally {
    await running.stop()
  }
}

/** @param {string} directory @returns {Promise<Profile>} */
const written = async (directory) => {
  for (let tries = 0; tries < 100; tries++, await sleep(200)) {
    const name = readdirSync(directory).find((it) => it.endsWith(".cpuprofile"))
    try {
      if (name !== undefined) return JSON.parse(readFileSync(join(directory, name), "utf8"))
    } catch {
      // Not all of it is there yet.
    }
  }
  throw new Error("no profile was written")
}

/** @param {Profile} profile @param {number} sessions @returns {readonly Share[]} the largest first */
export const shares = ({ nodes, samples, timeDeltas }, sessions) => {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  /** @type {Map<string, { readonly name: string, readonly owner: string, us: number }>} */
  const found = new Map()
  samples.forEach((id, index) => {
    const { functionName, url, lineNumber } = /** @type {Node} */ (byId.get(id)).callFrame
    if (functionName === "(idle)") return
    const place = url === "" ? "" : placeOf(url, lineNumber + 1)
    const name = `${functionName || "a function"} ${place}`.trim()
    const share = found.get(name) ?? { name, owner: ownerOf(functionName, place), us: 0 }
    found.set(name, share)
    share.us += Number(timeDeltas[index]) / sessions
  })
  return [...found.values()].sort((a, b) => b.us - a.us)
}

/** @param {string} functionName @param {string} place */
const ownerOf = (functionName, place) => {
  if (functionName === "(garbage collector)") return "collecting garbage"
  if (/^internalConnect /.test(`${functionName} ${place}`))
    return "system calls: write, connect, close, shutdown"
  if (place === "" && /^(writeBuffer|writev|close|shutdown)$/.test(functionName))
    return "system calls: write, connect, close, shutdown"
  if (place === "") return "Node's native parts"
  if (place.startsWith("node:")) return "Node's JavaScript"
  if (/^(effect|@effect)\//.test(place)) return "Effect"
  return /^(dist|servers)\//.test(place) ? "this program" : "other packages"
}

/** @param {readonly Spending[]} all */
export const profileReport = (all) =>
  all
    .map(({ server, sessions, rows }) => {
      /** @type {Map<string, number>} */
      const sums = new Map()
      for (const { owner, us } of rows) sums.set(owner, (sums.get(owner) ?? 0) + us)
      const total = rows.reduce((sum, { us }) => sum + us, 0)
      const graph = bars(
        [...sums].sort(([, a], [, b]) => b - a),
        (us) => number(us, 0)
      )
      const body = rows.slice(0, 40).map(({ name, us }) => [`\`${name}\``, number(us, 1)])
      return [
        `**${server}**: ${number(total, 0)} µs of the main thread a session, of ${number(sessions, 0)} sessions`,
        `\`\`\`\n${graph}\n\`\`\``,
        `<details><summary>one by one</summary>\n\n${table([["what", "µs"], ...body])}\n\n</details>`
      ].join("\n\n")
    })
    .join("\n\n")
