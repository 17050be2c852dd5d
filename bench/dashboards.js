// What open dashboards and a busy reader of the admin listener cost the relay:
// `node bench/dashboards.js [ROUNDS [LOAD [WORKERS]]]`. With MAIN=path/to/main.js it measures another build.
import { fork, spawnSync } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { build, load, loader } from "./lib/load.js"
import { inBench, inProject } from "./lib/paths.js"
import { cores, start } from "./lib/process.js"
import { median } from "./lib/statistics.js"

const rounds = Number(process.argv[2] ?? 5)
const [, , , wanted = "", workers = "1"] = process.argv

const token = "0123456789-abcdefghij"
const main = process.env.MAIN ?? inProject("dist/main.js")

/** @type {import("./lib/servers.js").Server} */
const server = {
  name: "effect-socks",
  command: (port, scratch) => [
    ...[process.execPath, main, "--listen", `127.0.0.1:${port}`, "--workers", workers],
    ...["--admin", `unix:${join(scratch, "admin.sock")}`, "--admin-token", token]
  ],
  version: () => ""
}

/** @type {readonly { readonly name: string, readonly args: readonly string[], readonly fields: Readonly<Record<string, string>> }[]} */
const loads = [
  {
    name: "16 downloads",
    args: ["bulk", "--streams", "16", "--seconds", "3"],
    fields: { cpuPerGib: "CPU-s a GiB", mbPerSecond: "MB/s" }
  },
  {
    name: "round trips of 64 sessions",
    args: ["pingpong", "--streams", "64", "--seconds", "3"],
    fields: { cpuUs: "CPU-µs", p99Us: "99 % within µs" }
  },
  {
    name: "sessions, 32 at once",
    args: ["rate", "--streams", "32", "--first", "3000", "--total", "10000"],
    fields: { cpuUs: "CPU-µs" }
  },
  { name: "nothing", args: [], fields: { cpuPerSecond: "CPU-ms a second" } }
].filter(({ name }) => name.includes(wanted))

const kinds = [
  { name: "0 dashboards", dashboards: 0, perSecond: 0, idle: 0 },
  { name: "1 dashboard", dashboards: 1, perSecond: 0, idle: 0 },
  { name: "50 dashboards", dashboards: 50, perSecond: 0, idle: 0 },
  { name: "5,000 idle", dashboards: 0, perSecond: 0, idle: 5000 },
  { name: "5,000 idle, 50 dashboards", dashboards: 50, perSecond: 0, idle: 5000 },
  { name: "5,000 idle, 200 lists a second", dashboards: 0, perSecond: 200, idle: 5000 }
]

/** User and system time of the process and of its workers, in seconds. @param {number} pid @returns {number} */
const cpuOf = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? []
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "latin1").split(" ").filter(Boolean).map(Number)
  )
  return (
    (Number(fields[11]) + Number(fields[12])) / 100 + children.reduce((sum, child) => sum + cpuOf(child), 0)
  )
}

/**
 * @param {typeof kinds[number]} kind @param {typeof loads[number]} load_
 * @returns {Promise<Readonly<Record<string, number>>>}
 */
const measure = async ({ dashboards, perSecond, idle }, { args }) => {
  const running = await start(server)
  const socket = join(running.scratch, "admin.sock")
  const held = idle > 0 ? loader(running, ["idle", "--streams", String(idle), "--hold", "600"]) : undefined
  const readers = fork(inBench("lib/readers.js"), [socket, token, String(dashboards), String(perSecond)], {
    execArgv: []
  })
  try {
    if (cores.generator !== undefined) {
      spawnSync("taskset", ["-cp", String(cores.generator), String(readers.pid)], { stdio: "ignore" })
    }
    await once(readers, "message")
    // The idle sessions open, the dashboards have looked, and the code is compiled.
    await sleep(idle > 0 ? 5000 : 2500)
    if (args.length > 0) return await load(running, args)
    const before = cpuOf(running.pid)
    await sleep(5000)
    return { cpuPerSecond: (cpuOf(running.pid) - before) / 5 / 1e-3 }
  } finally {
    readers.kill()
    held?.kill()
    await running.stop()
  }
}

build()
/** @type {Map<string, Array<number>>} */
const found = new Map()
for (let round = 0; round < rounds; round++) {
  for (const each of loads) {
    for (const kind of kinds) {
      const figures = await measure(kind, each)
      for (const field of Object.keys(each.fields)) {
        const key = [each.name, field, kind.name].join()
        found.set(key, [...(found.get(key) ?? []), figures[field] ?? Number.NaN])
      }
    }
  }
}
for (const { name, fields } of loads) {
  for (const [field, title] of Object.entries(fields)) {
    console.log(`\n${name}: ${title}`)
    for (const { name: kind, idle } of kinds) {
      const values = found.get([name, field, kind].join()) ?? []
      // With what the same sessions cost when nobody reads, in the same round.
      const base = found.get([name, field, idle > 0 ? "5,000 idle" : "0 dashboards"].join()) ?? []
      const ratio = Number(median(values.map((value, round) => value / Number(base[round]))))
      const all = values.map((value) => value.toFixed(2)).join(" ")
      console.log(
        `  ${kind.padEnd(30)} ${Number(median(values)).toFixed(2).padStart(9)}  ${ratio.toFixed(2)}×  (${all})`
      )
    }
  }
}
