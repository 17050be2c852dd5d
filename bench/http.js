// What forwarded HTTP requests cost, beside squid, tinyproxy and npm's proxy-chain: `node bench/http.js [ROUNDS [LOAD [SERVERS]]]`.
// `BASE=DIR` measures the build of another checkout, too.
import { fork } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { httpServers } from "./lib/httpServers.js"
import { inBench } from "./lib/paths.js"
import { cores, start } from "./lib/process.js"
import { median } from "./lib/statistics.js"

const rounds = Number(process.argv[2] ?? 3)

/** Only loads with this word in their names, and servers with these names, separated by commas. */
const [wantedLoad = "", wantedServers = ""] = process.argv.slice(3)

const loads = [
  {
    name: "kept open, CPU-µs a request",
    warm: 3000,
    clients: 8,
    requests: 10_000,
    closes: false,
    field: "cpuUs"
  },
  { name: "closing, CPU-µs a request", warm: 1000, clients: 8, requests: 4000, closes: true, field: "cpuUs" },
  {
    name: "64 clients kept open, p99 in ms",
    warm: 3000,
    clients: 64,
    requests: 20_000,
    closes: false,
    field: "p99"
  },
  { name: "absolute form, CPU-s a GiB", warm: 1, mib: 512, tunnel: false, field: "cpuPerGib" },
  { name: "CONNECT, CPU-s a GiB", warm: 1, mib: 512, tunnel: true, field: "cpuPerGib" }
].filter(({ name }) => name.includes(wantedLoad))

/** User and system time of a process, in seconds. @param {number} pid */
const cpuOf = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** @type {Map<string, Array<number>>} */
const found = new Map()

/** @param {import("./lib/servers.js").Server} server @param {any} load */
const measure = async (server, load) => {
  const running = await start(server)
  const child = fork(inBench("lib/httpLoad.js"), { execArgv: [] })
  const [args] = cores.generator === undefined ? [[]] : [["-cp", String(cores.generator), String(child.pid)]]
  if (args.length > 0) (await import("node:child_process")).spawnSync("taskset", args)
  try {
    await once(child, "message")
    const run = async (/** @type {any} */ what) => {
      child.send({ ...what, proxy: running.port })
      const [result] = await once(child, "message")
      if (result.error) throw new Error(`${server.name}, ${load.name}: ${result.error}`)
      return result
    }
    await run(load.mib ? { ...load, mib: 64 } : { ...load, requests: load.warm })
    const before = cpuOf(running.pid)
    const { count, p99 } = await run(load)
    const cpu = cpuOf(running.pid) - before
    return (
      { cpuUs: (cpu * 1e6) / count, p99, cpuPerGib: (cpu * 2 ** 30) / count }[String(load.field)] ??
      Number.NaN
    )
  } finally {
    child.kill()
    await running.stop()
  }
}

const servers = httpServers.filter((server) => {
  if (wantedServers !== "" && !wantedServers.split(",").includes(server.name)) return false
  try {
    console.log(`${server.name}: ${server.version()}`)
    return true
  } catch {
    console.log(`${server.name}: not here`)
    return false
  }
})
for (let round = 0; round < rounds; round++) {
  for (const load of loads) {
    for (const server of servers) {
      const key = `${load.name}\n${server.name}`
      const value = await measure(server, load)
      found.set(key, [...(found.get(key) ?? []), value])
    }
  }
}

/** Ratios are of neighbours in a round, and then their median. @param {string} load @param {string} server @param {string} other */
const ratio = (load, server, other) => {
  const others = found.get(`${load}\n${other}`)
  return (
    others && median((found.get(`${load}\n${server}`) ?? []).map((value, i) => value / Number(others[i])))
  )
}

for (const { name } of loads) {
  console.log(`\n${name}`)
  for (const server of servers) {
    const value = median(found.get(`${name}\n${server.name}`) ?? [])
    const ours = ratio(name, "effect-socks", server.name)
    console.log(
      `  ${server.name.padEnd(14)} ${value.toFixed(2).padStart(8)}   effect-socks is ${ours?.toFixed(2)}×`
    )
  }
}
