// The load of forwarded requests, and their origin: a process of its own, beside the server.
import net from "node:net"

/** @param {string} more */
const pageWith = (more) =>
  Buffer.from(
    `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n${more}\r\n${"x".repeat(1024)}`
  )

const page = pageWith("")
const lastPage = pageWith("Connection: close\r\n")
const mebibyte = Buffer.alloc(1024 * 1024)

/** Answers each request with a page of 1 KiB, and `/N` with N MiB. */
const origin = net.createServer({ noDelay: true }, (socket) => {
  let seen = ""
  socket.on("error", () => {})
  socket.on("data", (chunk) => {
    seen += chunk.toString("latin1")
    for (let end = seen.indexOf("\r\n\r\n"); end !== -1; end = seen.indexOf("\r\n\r\n")) {
      const size = Number(/^GET \/(\d+) /.exec(seen)?.[1] ?? 0)
      const isLast = /\r\nconnection: close/i.test(seen.slice(0, end))
      seen = seen.slice(end + 4)
      if (size === 0 && isLast) socket.end(lastPage)
      else if (size === 0) socket.write(page)
      else send(socket, size)
    }
  })
})

/** @param {net.Socket} socket @param {number} count */
const send = (socket, count) => {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${count * mebibyte.length}\r\n\r\n`)
  let left = count
  const next = () => {
    while (left > 0) if (left-- && !socket.write(mebibyte)) return void socket.once("drain", next)
  }
  next()
}

/**
 * One client: requests one after the other, on one connection as long as it stays open.
 *
 * @param {number} proxy @param {() => boolean} hasNext @param {boolean} closes @param {(ms: number) => void} took
 */
const client = (proxy, hasNext, closes, took) =>
  /** @type {Promise<void>} */ (
    new Promise((resolve, reject) => {
      const { port } = /** @type {net.AddressInfo} */ (origin.address())
      const request = `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: bench\r\nAccept: */*\r\n${closes ? "Connection: close\r\n" : ""}\r\n`
      const open = (isAgain = false) => {
        const socket = net.connect({ port: proxy, host: "127.0.0.1", noDelay: true })
        let seen = ""
        let began = 0
        let isWhole = true
        const ask = () => {
          if (!isAgain && !hasNext()) {
            socket.destroy()
            resolve()
            return
          }
          isAgain = false
          isWhole = false
          began = performance.now()
          socket.write(request)
        }
        socket.on("connect", ask)
        let isFirst = true
        // Some proxies close without a word behind a response.
        socket.on("error", () => {})
        socket.on("close", () => {
          if (isWhole) return
          if (isFirst || seen !== "") reject(new Error(`cut off behind ${seen.slice(0, 100)}`))
          else open(true)
        })
        socket.on("data", (chunk) => {
          seen += chunk.toString("latin1")
          const end = seen.indexOf("\r\n\r\n")
          if (end === -1 || seen.length < end + 4 + 1024) return
          if (!seen.startsWith("HTTP/1.1 200") && !seen.startsWith("HTTP/1.0 200")) {
            reject(new Error(seen.slice(0, 200)))
            return
          }
          isWhole = true
          isFirst = false
          took(performance.now() - began)
          const isLast = /^HTTP\/1\.0|\r\nconnection: close/i.test(seen.slice(0, end))
          seen = ""
          if (!isLast) return ask()
          socket.destroy()
          if (hasNext()) open(true)
          else resolve()
        })
      }
      open()
    })
  )

/** @param {{ proxy: number, clients: number, requests: number, closes: boolean }} load */
const requests = async ({ proxy, clients, requests, closes }) => {
  /** @type {Array<number>} */
  const times = []
  let left = requests
  const hasNext = () => left-- > 0
  await Promise.all(
    Array.from({ length: clients }, () => client(proxy, hasNext, closes, (ms) => times.push(ms)))
  )
  times.sort((a, b) => a - b)
  return {
    count: times.length,
    p50: times[Math.floor(times.length / 2)],
    p99: times[Math.floor(times.length * 0.99)]
  }
}

/** Gets so many MiB, in absolute form or by CONNECT. @param {{ proxy: number, mib: number, tunnel: boolean }} load */
const bulk = ({ proxy, mib, tunnel }) =>
  new Promise((resolve, reject) => {
    const { port } = /** @type {net.AddressInfo} */ (origin.address())
    const at = `127.0.0.1:${port}`
    const socket = net.connect({ port: proxy, host: "127.0.0.1" })
    const get = (/** @type {string} */ prefix) =>
      socket.write(`GET ${prefix}/${mib} HTTP/1.1\r\nHost: ${at}\r\n\r\n`)
    let count = 0
    let isOpen = !tunnel
    socket.on("connect", () =>
      tunnel ? socket.write(`CONNECT ${at} HTTP/1.1\r\nHost: ${at}\r\n\r\n`) : get(`http://${at}`)
    )
    socket.on("data", (chunk) => {
      if (!isOpen) {
        isOpen = true
        get("")
        return
      }
      count += chunk.length
      if (count < mib * mebibyte.length) return
      socket.destroy()
      resolve({ count })
    })
    socket.on("error", reject)
  })

origin.listen(0, "127.0.0.1", () => process.send?.("ready"))
process.on("message", async (/** @type {any} */ load) => {
  try {
    process.send?.(load.mib ? await bulk(load) : await requests(load))
  } catch (error) {
    process.send?.({ error: String(error) })
  }
})
