/**
 * What a fleet costs its store: a Redis on this computer, and machines in one or two processes, with the
 * code that a server has for it.
 */
import { fork, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

/**
 * A fleet for the table: sessions that are open, and that begin each second, users with limits and quotas, shares of
 * bandwidth by machine, the part of open sessions that move bytes in a second, and the parts of new ones with a wrong
 * password, and with one that no machine has seen in the last minutes.
 */
const load = {
  ...{ open: 100_000, perSecond: 2000, users: 1000 },
  ...{ uploads: 3, moving: 0.1, guesses: 0.01, logins: 0.001 }
}

/** The most machines that have a connection each. */
const mostConnections = 100

/** @param {readonly number[]} sizes numbers of machines @param {{ pace: number, seconds: number }} options */
export const cost = async (sizes, { pace, seconds }) => {
  console.log(
    `Load of the computer: ${loadavg()[0].toFixed(1)}. Time runs ${(1 / pace).toFixed(0)} times slower than it does, and ${seconds} seconds of it are measured.`
  )
  console.log(
    "| machines | connections | | leases | calls/s | messages/s | bytes/s to the store, from it | CPU of the store | per call | lost | failed |"
  )
  console.log("|---|---|---|---|---|---|---|---|---|---|---|")
  for (const machines of sizes) await measure(machines, pace, seconds)
}

const measure = async (machines, pace, seconds) => {
  const directory = mkdtempSync(join(tmpdir(), "fleet-"))
  const socket = join(directory, "redis.sock")
  const redis = spawn(
    "redis-server",
    ["--port", "0", "--unixsocket", socket, "--save", "", "--maxclients", "5000", "--dir", directory],
    { stdio: "ignore" }
  )
  const processes = []
  try {
    while (!(await ask(socket, "PING").catch(() => "")).includes("PONG")) await sleep(20)
    const parts = machines < 100 ? 1 : 2
    for (let part = 0; part < parts; part++) {
      const first = Math.floor((machines * part) / parts)
      const count = Math.floor((machines * (part + 1)) / parts) - first
      const options = {
        ...load,
        ...{ socket, first, count, pace, hasOwn: machines <= mostConnections },
        ...{ open: load.open / parts, perSecond: load.perSecond / parts }
      }
      const child = fork(join(new URL(".", import.meta.url).pathname, "machines.js"), [
        JSON.stringify(options)
      ])
      processes.push(child)
      await once(child, "message")
    }
    const order = async (text) => {
      if (process.env.DEBUG) console.error(text, performance.now() | 0)
      const answers = processes.map((child) => once(child, "message"))
      for (const child of processes) child.send(text)
      return (await Promise.all(answers)).map(([answer]) => answer)
    }
    // As if the store had been there for long.
    const epochs = Array.from({ length: 16 }, (_, bucket) => `HSET bench:{${bucket}}:epoch at 0`)
    await ask(socket, epochs.join("\r\n"))
    await order("fill")
    await sleep(1500 / pace)
    for (const kind of ["busy", "idle"]) {
      const before = await order(kind)
      await sleep(1000 / pace)
      const from = await look(redis.pid, socket)
      await sleep((seconds * 1000) / pace)
      const to = await look(redis.pid, socket)
      const after = await order(kind)
      const sum = (all, field) => all.reduce((total, one) => total + (one[field] ?? 0), 0)
      const calls = (to.calls - from.calls) / seconds
      const cpu = (to.cpu - from.cpu) / seconds
      const each = (field) => ((to[field] - from[field]) / seconds).toFixed(0)
      console.log(
        `| ${machines} | ${machines <= mostConnections ? machines : parts} | ${kind} | ${await leasesOf(socket)} | ${calls.toFixed(0)} | ` +
          `${each("messages")} | ${each("received")}, ${each("sent")} | ` +
          `${(cpu * 100).toFixed(1)} % | ${((cpu / calls) * 1e6).toFixed(0)} µs | ` +
          `${sum(after, "lost") - sum(before, "lost")} | ${callsOf(after, "failed") - callsOf(before, "failed")} |`
      )
      if (process.env.DEBUG) {
        const names = new Set(after.flatMap((one) => Object.keys(one.calls)))
        const rows = [...names].map(
          (name) => `${name} ${((callsOf(after, name) - callsOf(before, name)) / (seconds + 1)).toFixed(0)}`
        )
        console.error(`${rows.join(", ")}\n${to.stats}`)
      }
    }
  } finally {
    for (const child of processes) if (child.connected) child.disconnect()
    redis.kill("SIGKILL")
    await once(redis, "exit")
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Sends a command, and returns the answer. */
const ask = (socket, command) =>
  new Promise((resolve, reject) => {
    const client = connect(socket)
    let text = ""
    client.setEncoding("utf8")
    client.on("connect", () => client.end(`${command}\r\n`))
    client.on("data", (more) => {
      text += more
    })
    client.on("close", () => resolve(text))
    client.on("error", reject)
  })

const callsOf = (all, name) => all.reduce((total, { calls }) => total + (calls[name] ?? 0), 0)

/** Leases of slots in the store. */
const leasesOf = async (socket) => {
  const sum = `local sum = 0 for _, key in ipairs(redis.call('KEYS', '*:held:*')) do sum = sum + redis.call('HLEN', key) - 2 end return sum`
  return Number((await ask(socket, `EVAL "${sum}" 0`)).slice(1))
}

const look = async (pid, socket) => {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1].split(" ")
  const stats = await ask(socket, "INFO commandstats")
  const net = await ask(socket, "INFO stats")
  const of = (name) => Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, "m").exec(stats)?.[1] ?? 0)
  const total = (name) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(net)?.[1] ?? 0)
  return {
    cpu: (Number(stat[11]) + Number(stat[12])) / 100,
    calls: of("eval") + of("evalsha"),
    messages: of("publish"),
    received: total("total_net_input_bytes"),
    sent: total("total_net_output_bytes"),
    stats: stats
      .split("\n")
      .map((line) => line.split(",").slice(0, 2).join(","))
      .join(" ")
  }
}
