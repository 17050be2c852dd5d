/**
 * What a start and a reload with very many rules cost, and how long sessions wait for it.
 *
 *     npm run build && node bench/reload.js [RULES] [WORKERS]
 *
 * One session sends a byte at a time through the server to an echo, and is measured while the server reads its
 * settings again, twice: those of so many rules, and then one rule with a file of so many names. CPU is that of all
 * processes of the server; "stalled" is the longest of the main thread's turns, in time on a CPU, which other
 * programs on the machine do not lengthen as they do the round trips.
 */
import { spawn } from "node:child_process"
import fs from "node:fs"
import net from "node:net"
import os from "node:os"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const count = Number(process.argv[2] ?? 100_000)
const workers = Number(process.argv[3] ?? 1)
const main = fileURLToPath(new URL("../dist/main.js", import.meta.url))
const directory = fs.mkdtempSync(path.join(os.tmpdir(), "effect-socks-bench-"))
const list = (f) => Array.from({ length: count }, (_, i) => f(i)).join("\n")

const begin = 'listen: 127.0.0.1:0\nuser: "u:p"\nprivate-targets: allow\nrules:\n'
const settings = {
  rules: () =>
    `${begin}${list((i) => `  - { name: r${i}, deny: true, to: h${i}.example.com }`)}\n  - { allow: true }\n`,
  names: () => {
    const file = path.join(directory, "names.txt")
    fs.writeFileSync(
      file,
      list((i) => `h${i}.example.com`)
    )
    return `${begin}  - { deny: true, to-file: ${file} }\n  - { allow: true }\n`
  }
}

/** In the server's main thread: the most time on a CPU between two turns of the loop since it was asked. */
const watch = `
import fs from "node:fs"
const cpu = () => Number(fs.readFileSync("/proc/self/task/" + process.pid + "/schedstat", "utf8").split(" ")[0]) / 1e6
let last = cpu(), most = 0
const turn = () => {
  const now = cpu()
  most = Math.max(most, now - last)
  last = now
  setTimeout(turn, 1)
}
turn()
// What the start takes is no session's business.
let isStarted = false
setInterval(() => {
  if (!isStarted && fs.existsSync(${JSON.stringify(directory)} + "/started")) {
    isStarted = true
    most = 0
  }
  // Whole, whenever it is read.
  const file = ${JSON.stringify(directory)} + "/turn-" + process.pid
  fs.writeFileSync(file + ".new", String(most))
  fs.renameSync(file + ".new", file)
}, 50).unref()
`

const read = (file) => fs.readFileSync(file, "utf8")
const family = (pid) => [pid, ...read(`/proc/${pid}/task/${pid}/children`).trim().split(" ").filter(Boolean)]
const cpu = (pid) => {
  const fields = read(`/proc/${pid}/stat`).replace(/^.*\)/s, "").trim().split(" ")
  return (Number(fields[11]) + Number(fields[12])) / 100
}
const sum = (numbers) => numbers.reduce((one, other) => one + other, 0)
const peak = (pid) => Number(/VmHWM:\s+(\d+)/.exec(read(`/proc/${pid}/status`))[1]) / 1024

/** Bytes through the server, one after the other, and how long each was on its way. */
const session = async (port, target) => {
  const socket = net.connect(port, "127.0.0.1")
  socket.setNoDelay()
  const answer = () => new Promise((resolve) => socket.once("data", resolve))
  for (const bytes of [
    [5, 1, 2],
    [1, 1, 0x75, 1, 0x70],
    [5, 1, 0, 1, 127, 0, 0, 1, target >> 8, target & 255]
  ]) {
    socket.write(Buffer.from(bytes))
    const [, status] = await answer()
    if (bytes.length > 3 && status !== 0) throw new Error(`refused: ${status}`)
  }
  let times = []
  const run = async () => {
    while (!socket.destroyed) {
      const start = performance.now()
      socket.write("x")
      await answer()
      times.push(performance.now() - start)
      await sleep(1)
    }
  }
  run()
  return {
    longest: () => {
      const most = Math.max(...times)
      times = []
      return most
    },
    end: () => socket.destroy()
  }
}

const measure = async (kind, target) => {
  const config = path.join(directory, `${kind}.yaml`)
  fs.writeFileSync(config, settings[kind]())
  const hook = path.join(directory, "watch.mjs")
  fs.writeFileSync(hook, watch)
  const flags = [
    "--config",
    config,
    "--workers",
    String(workers),
    "--log-format",
    "json",
    "--log-decisions",
    "none"
  ]
  const server = spawn(process.execPath, ["--import", hook, main, ...flags], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  let log = ""
  server.stdout.on("data", (data) => {
    log += data
  })
  const logged = async (text) => {
    while (!log.includes(text)) {
      if (server.exitCode !== null) throw new Error(`the server ended: ${log}`)
      await sleep(5)
    }
    const [line] = log.slice(log.indexOf(text)).split("\n", 1)
    log = ""
    return line
  }
  const cpus = () => sum(family(server.pid).map(cpu))

  const line = await logged('"listening"')
  const start = cpus()
  const client = await session(Number(/127\.0\.0\.1:(\d+)/.exec(line)[1]), target)
  await sleep(1500)
  const idle = client.longest()
  const started = path.join(directory, "started")
  fs.writeFileSync(started, "")
  await sleep(500)
  const rows = []
  for (const what of ["first", "second"]) {
    const [before, began] = [cpus(), performance.now()]
    server.kill("SIGHUP")
    await logged('"reloaded"')
    const [took, used, longest] = [performance.now() - began, cpus() - before, client.longest()]
    rows.push(
      `  ${what} reload: ${used.toFixed(1)} s of CPU in ${(took / 1000).toFixed(1)} s, longest round trip ${longest.toFixed(0)} ms`
    )
    await sleep(1500)
  }
  const processes = family(server.pid)
  const turns = processes.map((pid) => {
    const file = path.join(directory, `turn-${pid}`)
    return fs.existsSync(file) ? Number(read(file)) : 0
  })
  console.log(`${count} ${kind}, ${workers === 1 ? "one process" : `${workers} workers`}`)
  console.log(`  start: ${start.toFixed(1)} s of CPU; longest round trip while idle ${idle.toFixed(0)} ms`)
  for (const row of rows) console.log(row)
  console.log(`  stalled: ${turns.map((most) => most.toFixed(0)).join(", ")} ms of CPU`)
  console.log(`  peak: ${processes.map((pid) => peak(pid).toFixed(0)).join(", ")} MB`)
  fs.rmSync(started)
  client.end()
  server.kill("SIGTERM")
  await new Promise((resolve) => server.once("exit", resolve))
}

const echo = net.createServer((socket) => {
  socket.on("error", () => {})
  socket.pipe(socket)
})
await new Promise((resolve) => echo.listen(0, "127.0.0.1", resolve))
try {
  for (const kind of Object.keys(settings)) await measure(kind, echo.address().port)
} finally {
  echo.close()
  fs.rmSync(directory, { recursive: true })
}
process.exit()
