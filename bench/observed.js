/**
 * What it costs to observe the server: CPU time of a session, of a round trip and of idle sessions, with nothing on, with
 * metrics, with metrics and traces of 1 % of the sessions, with accounts (SQLite), and with all of these and the admin
 * listener.
 *
 *     npm run build && node bench/observed.js [ROUNDS]
 *
 * The variants take turns in each round. Each ratio is the median, over the rounds, of a variant's figure by that of the
 * server with nothing on.
 */
import { createServer } from "node:http"
import { build, load } from "./lib/load.js"
import { start } from "./lib/process.js"
import { servers } from "./lib/servers.js"
import { medianOf, ratioOf } from "./lib/statistics.js"

const rounds = Number(process.argv[2] ?? 7)
const server = servers.find(({ name }) => name === "effect-socks")

const collector = createServer((request, response) => {
  request.resume().on("end", () => response.end())
}).listen(0, "127.0.0.1")
await new Promise((resolve) => collector.once("listening", resolve))

const traces = {
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${collector.address().port}/v1/traces`,
  OTEL_TRACES_SAMPLER: "traceidratio",
  OTEL_TRACES_SAMPLER_ARG: "0.01"
}
const accounts = (scratch) => ["--state-dir", scratch]

const variants = {
  "nothing on": {},
  metrics: { args: () => ["--metrics"] },
  "metrics, 1 % traces": { args: () => ["--metrics"], env: traces },
  accounts: { args: accounts },
  "all, and admin": {
    args: (scratch) => [...accounts(scratch), "--metrics", "--admin", `unix:${scratch}/admin.sock`],
    env: traces
  }
}

const figures = [
  {
    measure: "rate",
    field: "cpuUs",
    title: "session, CPU-µs",
    args: ["rate", "--streams", "32", "--first", "2000", "--total", "8000"]
  },
  {
    measure: "pingpong",
    field: "cpuUs",
    title: "round trip, CPU-µs",
    args: ["pingpong", "--streams", "64", "--seconds", "1.5"]
  },
  {
    measure: "idle",
    field: "cpuPerSecond",
    title: "2000 idle, CPU-ms/s",
    scale: 1e3,
    args: ["idle", "--streams", "2000", "--hold", "3"]
  },
  { measure: "idle", field: "pssPerSession", title: "KB each (PSS)", scale: 1e-3 }
]

build()
const runs = []
for (let round = 1; round <= rounds; round++) {
  for (const { measure, args } of figures.filter(({ args }) => args !== undefined)) {
    // The first of a round has other neighbours than the last.
    const order = Object.entries(variants)
    if (round % 2 === 0) order.reverse()
    for (const [name, options] of order) {
      const running = await start(server, options)
      try {
        runs.push({ round, server: name, measure, figures: await load(running, args) })
      } finally {
        await running.stop()
      }
    }
  }
  console.error(`round ${round} of ${rounds}`)
}

const cell = (text) => String(text).padStart(26)
console.log(["".padEnd(22), ...figures.map(({ title }) => cell(title))].join(""))
for (const name of Object.keys(variants)) {
  const cells = figures.map(({ measure, field, scale = 1 }) => {
    const value = medianOf(runs, name, measure, field)
    const ratio = ratioOf(runs, name, "nothing on", measure, field)
    return cell(`${(value * scale).toFixed(1)} (${ratio.toFixed(3)})`)
  })
  console.log([name.padEnd(22), ...cells].join(""))
}
collector.close()
