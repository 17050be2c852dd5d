// What was found of growth, as Markdown: a table and a graph of each series.
import { grownTo } from "./growth.js"
import { bars, number, table } from "./tables.js"

/** @param {readonly import("./growth.js").Series[]} all */
export const growthReport = (all) =>
  all
    .map(({ title, points, note }) =>
      note === undefined ? `**${title}**\n\n${seriesReport(title, points)}` : `**${title}**: ${note}`
    )
    .join("\n\n")

/** @param {string} title @param {readonly import("./growth.js").Point[]} points */
const seriesReport = (title, points) => {
  const servers = [...new Set(points.map(({ server }) => server))]
  const amounts = [...new Set(points.map(({ amount }) => amount))]
  const places = servers.flatMap((server) => amounts.map((amount) => /** @type {const} */ ([server, amount])))
  /** @param {"session" | "trip" | "rss"} field @param {string} unit @param {number} scale @param {number} digits */
  const graph = (field, unit, scale, digits) =>
    bars(
      places.map(([server, amount]) => {
        const { value = 0 } = grownTo(points, server, amount, field)
        return [label(server, amount, amounts), value * scale]
      }),
      (value) => `${number(value, digits)} ${unit}`
    )
  const rows = places.map(([server, amount]) => [
    server,
    number(amount, 0),
    cell(grownTo(points, server, amount, "session"), 1, 0),
    cell(grownTo(points, server, amount, "trip"), 1, 1),
    cell(grownTo(points, server, amount, "rss"), 1e-6, 0)
  ])
  const header = ["server", title, "CPU-µs a session", "CPU-µs a round trip", "MB of memory then (RSS)"]
  const graphs = [
    `CPU of a session, by ${title}:`,
    graph("session", "µs", 1, 0),
    "",
    "CPU of a round trip:",
    graph("trip", "µs", 1, 1),
    "",
    "Memory of the process:",
    graph("rss", "MB", 1e-6, 0)
  ]
  return `${table([header, ...rows])}\n\n\`\`\`\n${graphs.join("\n")}\n\`\`\``
}

/** @param {string} server @param {number} amount @param {readonly number[]} amounts */
const label = (server, amount, amounts) => {
  const width = Math.max(...amounts.map((it) => number(it, 0).length))
  return `${server.padEnd(12)} ${number(amount, 0).padStart(width)}`
}

/** @param {ReturnType<typeof grownTo>} figure @param {number} scale @param {number} digits */
const cell = ({ value, times }, scale, digits) =>
  `${number(value === undefined ? undefined : value * scale, digits)} (${number(times, 2)}×)`
