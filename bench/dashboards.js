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

const loads = [
  {
    name: "16 downloads, CPU-s a GiB",
    args: ["bulk", "--streams", "16", "--seconds", "3"],
    field: "cpuPerGib"
  },
  { name: "round trips, CPU-µs", args: ["pingpong", "--streams", "64", "--seconds", "3"], field: "cpuUs" },
  {
    name: "round trips, 99 % within µs",
    args: ["pingpong", "--streams", "64", "--seconds", "3"],
    field: "p99Us"
  },
  {
    name: "sessions, CPU-µs",
    args: ["rate", "--streams", "32", "--first", "3000", "--total", "10000"],
    field: "cpuUs"
  },
  { name: "nothing, CPU-ms a second", args: undefined, field: "cpuPerSecond" }
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

/** @param {typeof kinds[number]} kind @param {typeof loads[number]} load_ */
const measure = async ({ dashboards, perSecond, idle }, { args, field }) => {
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
    if (args === undefined) {
      const before = cpuOf(running.pid)
      await sleep(5000)
      return (cpuOf(running.pid) - before) / 5 / 1e-3
    }
    return (await load(running, args))[field] ?? Number.NaN
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
      const value = await measure(kind, each)
      const key = `${each.name}\n${kind.name}`
      found.set(key, [...(found.get(key) ?? []), value])
    }
  }
}
for (const { name } of loads) {
  console.log(`\n${name}`)
  for (const { name: kind, idle } of kinds) {
    const values = found.get(`${name}\n${kind}`) ?? []
    const base = found.get(`${name}\n${idle > 0 ? "5,000 idle" : "0 dashboards"}`) ?? []
    const ratio = median(values.map((value, round) => value / Number(base[round])))
    console.log(
      `  ${kind.padEnd(32)} ${Number(median(values)).toFixed(2).padStart(9)}   ${Number(ratio).toFixed(2)}×   (${values.map((value) => value.toFixed(2)).join(" ")})`
    )
  }
}
