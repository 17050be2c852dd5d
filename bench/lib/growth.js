// Whether the cost of a session or of a message grows with what else there is:
// idle sessions, rules, users, and sessions served before.
import { load } from "./load.js"
import { start } from "./process.js"
import { withRules } from "./rules.js"
import { median } from "./statistics.js"
import { bars, number, table } from "./tables.js"

/**
 * @typedef {{ readonly server: string, readonly amount: number, readonly session: number, readonly trip: number,
 *   readonly rss: number }} Point CPU-µs of a session and of a round trip, and bytes
 * @typedef {{ readonly title: string, readonly points: readonly Point[], readonly note?: string }} Series
 * @typedef {{ readonly quick: boolean, readonly rounds: number }} Options
 */

/**
 * @param {readonly import("./servers.js").Server[]} servers
 * @param {Options} options
 * @returns {Promise<readonly Series[]>}
 */
export const measureGrowth = async (servers, options) => {
  const own = servers.filter(({ name }) => name === "effect-socks")
  const both = servers.filter(({ name }) => name === "effect-socks" || name === "node-pipe")
  return [
    await besideIdle(both, options),
    await withUsers(own, options),
    await besideRules(own, options),
    await afterSessions(both, options)
  ]
}

/** @param {readonly import("./servers.js").Server[]} servers @param {Options} options @returns {Promise<Series>} */
const besideIdle = async (servers, options) => {
  const amounts = options.quick ? [0, 2000] : [0, 1250, 2500, 5000]
  return series("other sessions, idle", servers, amounts, options, (server, amount) =>
    inProcess(server, {}, options, ["--idle", String(amount)])
  )
}

/** @param {readonly import("./servers.js").Server[]} servers @param {Options} options @returns {Promise<Series>} */
const withUsers = (servers, options) => {
  const amounts = options.quick ? [1, 1000] : [1, 10, 100, 1000]
  return series("users", servers, amounts, options, (server, amount) => {
    const users = Array.from({ length: amount }, (_, i) => `user${i}:password${i}`)
    const login = ["--user", `user${amount - 1}`, "--password", `password${amount - 1}`]
    return inProcess(server, { env: { SOCKS_USER: users.join("\n") } }, options, login)
  })
}

/** @param {readonly import("./servers.js").Server[]} servers @param {Options} options @returns {Promise<Series>} */
const besideRules = async (servers, options) => {
  const amounts = options.quick ? [1, 10_000] : [1, 100, 1000, 10_000]
  try {
    return await series("rules", servers, amounts, options, (server, amount) =>
      inProcess(server, { args: (scratch) => withRules(scratch, amount) }, options, [])
    )
  } catch (error) {
    // A build that does not know them yet.
    const reason = error instanceof Error ? error.message.split("\n").slice(0, 2).join(" ") : String(error)
    console.error(`  growth with rules is skipped: ${reason}`)
    return { title: "rules", points: [], note: `skipped: ${reason}` }
  }
}

/** @param {readonly import("./servers.js").Server[]} servers @param {Options} options @returns {Promise<Series>} */
const afterSessions = async (servers, options) => {
  const amounts = options.quick ? [2000, 20_000] : [2000, 50_000, 100_000, 200_000]
  /** @type {Point[]} */
  const points = []
  for (const server of servers) {
    const running = await start(server)
    try {
      let served = 0
      for (const amount of amounts) {
        await load(running, ["rate", "--streams", "32", "--total", String(amount - served)])
        served = amount
        points.push(await point(server, running, amount, options, []))
      }
    } finally {
      await running.stop()
    }
  }
  return { title: "sessions served before", points }
}

/**
 * @param {string} title @param {readonly import("./servers.js").Server[]} servers @param {readonly number[]} amounts
 * @param {Options} options
 * @param {(server: import("./servers.js").Server, amount: number) => Promise<Point>} measure
 * @returns {Promise<Series>}
 */
const series = async (title, servers, amounts, { rounds }, measure) => {
  /** @type {Point[]} */
  const all = []
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    for (const amount of amounts) {
      for (const server of servers) all.push({ ...(await measure(server, amount)), amount })
    }
  }
  const points = servers.flatMap((server) => amounts.map((amount) => middle(all, server.name, amount)))
  return { title, points }
}

/** @param {readonly Point[]} points @param {string} server @param {number} amount @returns {Point} */
const middle = (points, server, amount) => {
  const own = points.filter((it) => it.server === server && it.amount === amount)
  /** @param {"session" | "trip" | "rss"} field */
  const of = (field) => median(own.map((it) => it[field])) ?? Number.NaN
  return { server, amount, session: of("session"), trip: of("trip"), rss: of("rss") }
}

/**
 * @param {import("./servers.js").Server} server @param {Parameters<typeof start>[1]} more
 * @param {Options} options @param {readonly string[]} args
 */
const inProcess = async (server, more, options, args) => {
  const running = await start(server, more)
  try {
    return await point(server, running, 0, options, args)
  } finally {
    await running.stop()
  }
}

/**
 * @param {import("./servers.js").Server} server @param {import("./process.js").Running} running @param {number} amount
 * @param {Options} options @param {readonly string[]} args
 * @returns {Promise<Point>}
 */
const point = async (server, running, amount, { quick }, args) => {
  const rate = ["rate", "--streams", "32", "--first", "2000", "--total", quick ? "2000" : "6000"]
  const pingpong = ["pingpong", "--streams", "64", "--seconds", quick ? "0.7" : "2"]
  const session = Number((await load(running, [...rate, ...args])).cpuUs)
  const trip = Number((await load(running, [...pingpong, ...args])).cpuUs)
  const rss = Number((await load(running, ["cost"])).rss)
  console.error(`  growth ${server.name} ${args.join(" ")} ${amount || ""}: ${session} and ${trip} CPU-µs`)
  return { server: server.name, amount, session, trip, rss }
}

/** @param {readonly Series[]} all */
export const growthReport = (all) =>
  all
    .map(({ title, points, note }) => {
      if (note !== undefined) return `**${title}**: ${note}`
      const rows = points.map(({ server, amount, session, trip, rss }) => [
        server,
        number(amount, 0),
        number(session, 0),
        number(trip, 1),
        number(rss / 1e6, 0)
      ])
      const header = ["server", title, "CPU-µs a session", "CPU-µs a round trip", "MB afterwards (RSS)"]
      const graph = bars(
        points.map(({ server, amount, session }) => [`${server}, ${number(amount, 0)}`, session]),
        (value) => `${number(value, 0)} µs`
      )
      return `**${title}**\n\n${table([header, ...rows])}\n\nCPU of a session:\n\n\`\`\`\n${graph}\n\`\`\``
    })
    .join("\n\n")
