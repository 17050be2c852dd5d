// The baseline for datagrams: UDP ASSOCIATE for IPv4 with nothing but what it
// needs, on node:dgram as anyone would use it. No limits, no checks of who sends.
import dgram from "node:dgram"
import net from "node:net"

/** @param {net.Socket} client */
const associate = (client) => {
  const inside = dgram.createSocket("udp4")
  const outside = dgram.createSocket("udp4")
  /** @type {import("node:dgram").RemoteInfo} */
  let user
  inside.on("message", (datagram, from) => {
    user = from
    const host = datagram.subarray(4, 8).join(".")
    outside.send(datagram.subarray(10), datagram.readUInt16BE(8), host)
  })
  outside.on("message", (payload, { address, port }) => {
    const header = Buffer.from([0, 0, 0, 1, ...address.split(".").map(Number), port >> 8, port & 255])
    inside.send([header, payload], user.port, user.address)
  })
  outside.bind(0, "127.0.0.1")
  inside.bind(0, "127.0.0.1", () => {
    const { port } = inside.address()
    client.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, port >> 8, port & 255]))
  })
  client.on("close", () => {
    inside.close()
    outside.close()
  })
}

net
  .createServer((client) => {
    client.on("error", () => client.destroy())
    // A greeting that offers one method, and a request for UDP.
    client.once("data", () => {
      client.write(Buffer.from([5, 0]))
      client.once("data", () => associate(client))
    })
  })
  .listen(Number(process.argv[2]), "127.0.0.1")
