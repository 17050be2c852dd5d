// Whether the cost of a session or of a message grows with what else there is:
// idle sessions, rules, users, and sessions served before.
import { once } from "node:events"
import { load, loader } from "./load.js"
import { start } from "./process.js"
import { withRules } from "./rules.js"
import { median } from "./statistics.js"
import { withUsers } from "./users.js"

/**
 * @typedef {{ readonly session: number, readonly trip: number, readonly rss: number }} Costs CPU-µs of a session and of a
 *   round trip, and bytes
 * @typedef {Costs & { readonly round: number, readonly server: string, readonly amount: number }} Point
 * @typedef {{ readonly title: string, readonly points: readonly Point[], readonly note?: string }} Series
 * @typedef {{ readonly quick: boolean, readonly rounds: number }} Options
 * @typedef {import("./servers.js").Server} Server
 * @typedef {import("./process.js").Running} Running
 */

/** More rounds would take too long. @param {Options} options */
export const growthRounds = ({ rounds }) => Math.min(rounds, 3)

/** @param {readonly Server[]} servers @param {Options} options @returns {Promise<readonly Series[]>} */
export const measureGrowth = async (servers, options) => {
  const own = servers.filter(({ name }) => name === "effect-socks")
  const both = servers.filter(({ name }) => name === "effect-socks" || name === "node-pipe")
  const { quick } = options
  const all = [
    await series("other sessions, idle", quick ? [0, 2000] : [0, 1000, 5000], both, options, besideIdle),
    await series("rules", quick ? [0, 10_000] : [0, 100, 10_000], own, options, (server, amount) =>
      inProcess(server, (scratch) => withRules(scratch, amount), options, [])
    ),
    await series("users, who log in by turns", [1, 1000], own, options, (server, amount) =>
      inProcess(server, (scratch) => withUsers(scratch, amount), options, ["--users", String(amount)])
    ),
    await orNote("sessions served before", () => afterSessions(both, options))
  ]
  return all.filter(({ points, note }) => points.length > 0 || note !== undefined)
}

/** @param {Server} server @param {number} amount @param {Options} options */
const besideIdle = async (server, amount, options) => {
  const running = await start(server)
  try {
    if (amount === 0) return await costs(running, options, [])
    const idle = loader(running, ["idle", "--streams", String(amount), "--wait"])
    const [first] = await Promise.race([once(idle.stdout, "data"), once(idle, "exit")])
    if (idle.exitCode !== null || first === null)
      throw new Error(`${amount} idle sessions could not be opened`)
    const measured = await costs(running, options, [])
    idle.stdin.end()
    await once(idle, "exit")
    return measured
  } finally {
    await running.stop()
  }
}

/** One process of each server serves them all. @param {readonly Server[]} servers @param {Options} options */
const afterSessions = async (servers, options) => {
  const amounts = options.quick ? [0, 10_000] : [0, 50_000, 200_000]
  /** @type {Point[]} */
  const points = []
  /** @type {{ readonly name: string, readonly running: Running }[]} */
  const all = []
  try {
    for (const server of servers) all.push({ name: server.name, running: await start(server) })
    let served = 0
    for (const amount of amounts) {
      for (const { name, running } of all) {
        if (amount > 0) await load(running, ["rate", "--streams", "32", "--total", String(amount - served)])
        points.push(told({ round: 1, server: name, amount, ...(await costs(running, options, [])) }))
      }
      served = amount
    }
  } finally {
    for (const { running } of all) await running.stop()
  }
  return points
}

/**
 * @param {string} title @param {readonly number[]} amounts @param {readonly Server[]} servers @param {Options} options
 * @param {(server: Server, amount: number, options: Options) => Promise<Costs>} measure
 */
const series = (title, amounts, servers, options, measure) =>
  orNote(title, async () => {
    /** @type {Point[]} */
    const points = []
    for (let round = 1; round <= growthRounds(options); round++) {
      for (const amount of amounts) {
        for (const server of servers) {
          const measured = await measure(server, amount, options)
          points.push(told({ round, server: server.name, amount, ...measured }))
        }
      }
    }
    return points
  })

/** @param {string} title @param {() => Promise<readonly Point[]>} measure @returns {Promise<Series>} */
const orNote = async (title, measure) => {
  console.error(`growth with ${title}`)
  try {
    return { title, points: await measure() }
  } catch (error) {
    const note = `not measured: ${error instanceof Error ? error.message.split("\n")[0] : error}`
    console.error(`  ${note}`)
    return { title, points: [], note }
  }
}

/** @param {Server} server @param {(scratch: string) => readonly string[]} args @param {Options} options @param {readonly string[]} forLoad */
const inProcess = async (server, args, options, forLoad) => {
  const running = await start(server, { args })
  try {
    return await costs(running, options, forLoad)
  } finally {
    await running.stop()
  }
}

/** @param {Running} running @param {Options} options @param {readonly string[]} args @returns {Promise<Costs>} */
const costs = async (running, { quick }, args) => {
  const rate = ["rate", "--streams", "32", "--first", "2000", "--total", quick ? "2000" : "6000"]
  const pingpong = ["pingpong", "--streams", "64", "--seconds", quick ? "0.7" : "1"]
  const session = Number((await load(running, [...rate, ...args])).cpuUs)
  const trip = Number((await load(running, [...pingpong, ...args])).cpuUs)
  return { session, trip, rss: Number((await load(running, ["cost"])).rss) }
}

/** @param {Point} point */
const told = (point) => {
  const { server, amount, session, trip, rss } = point
  const figures = `${session.toFixed(0)} CPU-µs a session, ${trip.toFixed(1)} a round trip, ${(rss / 1e6).toFixed(0)} MB`
  console.error(`  ${server.padEnd(12)} ${String(amount).padStart(7)}: ${figures}`)
  return point
}

/**
 * The median of a server's figure at an amount, and how many times that at the
 * first amount it is, each within a round.
 *
 * @param {readonly Point[]} points @param {string} server @param {number} amount @param {keyof Costs} field
 */
export const grownTo = (points, server, amount, field) => {
  const own = points.filter((point) => point.server === server)
  const first = own[0]?.amount
  const at = own.filter((point) => point.amount === amount)
  const times = at.flatMap((point) => {
    const before = own.find(({ round, amount }) => round === point.round && amount === first)
    return before ? [point[field] / before[field]] : []
  })
  return { value: median(at.map((point) => point[field])), times: median(times) }
}
