// The baseline: a SOCKS5 proxy with nothing but what CONNECT needs, on Node's
// streams as anyone would use them. No limits, no timeouts, no log, no policy.
import net from "node:net"

const succeeded = Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
const refused = Buffer.from([5, 5, 0, 1, 0, 0, 0, 0, 0, 0])

/** @param {Buffer} request @returns {{ host: string, port: number, length: number } | undefined} */
const target = (request) => {
  if (request.length < 5) return
  const name = request[3] === 3
  const length = request[3] === 1 ? 10 : name ? 7 + Number(request[4]) : 22
  if (request.length < length) return
  const address = request.subarray(name ? 5 : 4, length - 2)
  const host = name ? address.toString("latin1") : request[3] === 1 ? address.join(".") : ipv6(address)
  return { host, port: request.readUInt16BE(length - 2), length }
}

/** @param {Buffer} bytes */
const ipv6 = (bytes) => {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16))
  return groups.join(":")
}

/** @param {net.Socket} client */
const serve = (client) => {
  /** @type {Buffer} */
  let heard = Buffer.alloc(0)
  let greeted = false
  client.on("error", () => client.destroy())
  /** @param {Buffer} chunk */
  const listen = (chunk) => {
    heard = heard.length > 0 ? Buffer.concat([heard, chunk]) : chunk
    if (!greeted) {
      if (heard.length < 2 || heard.length < 2 + Number(heard[1])) return
      heard = heard.subarray(2 + Number(heard[1]))
      greeted = true
      client.write(Buffer.from([5, 0]))
    }
    const wanted = target(heard)
    if (!wanted) return
    client.off("data", listen).pause()
    connect(client, wanted, heard.subarray(wanted.length))
  }
  client.on("data", listen)
}

/** @param {net.Socket} client @param {{ host: string, port: number }} wanted @param {Buffer} early */
const connect = (client, { host, port }, early) => {
  const remote = net.connect({ host, port, noDelay: true, allowHalfOpen: true })
  const end = () => {
    client.destroy()
    remote.destroy()
  }
  remote.on("error", () => (remote.connecting ? client.end(refused) : end()))
  client.on("error", end).on("close", () => remote.destroy())
  remote.on("close", () => client.destroy())
  remote.on("connect", () => {
    client.write(succeeded)
    if (early.length > 0) remote.write(early)
    client.pipe(remote)
    remote.pipe(client)
  })
}

net
  .createServer({ allowHalfOpen: true, noDelay: true }, serve)
  .listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 })
