// What is left of this server without Effect, policy, limits and timeouts: its
// relay, the addresses that its replies and its log tell of, and a line of log
// for each session. How much of a session's cost the rest is, this row tells.
import net from "node:net"
import { inProject } from "../lib/paths.js"

/** @type {typeof import("../../src/network/RelayPair.ts")} */
const { RelayPair } = await import(inProject("dist/network/RelayPair.js"))
/** @type {typeof import("../../src/network/NodeTransport.ts")} */
const NodeTransport = await import(inProject("dist/network/NodeTransport.js"))
/** @type {typeof import("../../src/network/ReadBuffers.ts")} */
const { ReadBuffers } = await import(inProject("dist/network/ReadBuffers.js"))

const buffers = new ReadBuffers()
const clock = { now: 0 }
setInterval(() => clock.now++, 1000)

/** @type {string[]} */
let lines = []
setInterval(() => {
  if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`)
  lines = []
}, 50)

const method = Buffer.from([5, 0])
const ignored = () => {}
let count = 0

/** @param {net.Socket} client */
const serve = (client) => {
  client.on("error", ignored)
  const { remoteAddress, remotePort } = client
  const session = { id: ++count, client: `${remoteAddress}:${remotePort}`, startedAt: Date.now() }
  /** @type {Buffer} */
  let heard = Buffer.alloc(0)
  let isGreeted = false
  /** @param {Buffer} chunk */
  const hear = (chunk) => {
    heard = heard.length > 0 ? Buffer.concat([heard, chunk]) : chunk
    if (!isGreeted) {
      if (heard.length < 2 || heard.length < 2 + Number(heard[1])) return
      heard = heard.subarray(2 + Number(heard[1]))
      isGreeted = true
      client.write(method)
    }
    // IPv4 is all that the load generator asks for.
    if (heard.length < 10) return
    client.off("data", hear).pause()
    connect(client, heard.subarray(4, 8).join("."), heard.readUInt16BE(8), heard.subarray(10), session)
  }
  client.on("data", hear)
}

/**
 * @param {net.Socket} client @param {string} host @param {number} port @param {Buffer} early
 * @param {{ readonly id: number, readonly client: string, readonly startedAt: number }} session
 */
const connect = (client, host, port, early, { startedAt, ...session }) => {
  const target = net.connect({ host, port, noDelay: true, allowHalfOpen: true, autoSelectFamily: false })
  target.on("error", () => target.connecting && client.destroy())
  target.once("connect", () => {
    const { localAddress = "", localPort = 0 } = target
    const address = localAddress.split(".").map(Number)
    client.write(Buffer.from([5, 0, 0, 1, ...address, localPort >> 8, localPort & 0xff]))
    const traffic = { sent: 0, received: 0 }
    const ends = {
      client: NodeTransport.make(client, { buffers }),
      target: NodeTransport.make(target, { buffers })
    }
    const link = new RelayPair({ ...ends, early, traffic }, clock)
    link.onEnd = (outcome) => {
      const duration = Date.now() - startedAt
      const told = { ...session, target: `${host}:${port}`, outcome, ...traffic, duration }
      lines.push(JSON.stringify({ time: new Date(), level: "info", message: "session", ...told }))
    }
  })
}

net
  .createServer({ allowHalfOpen: true, noDelay: true }, serve)
  .listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 })
