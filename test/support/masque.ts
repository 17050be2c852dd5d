/**
 * Clients of CONNECT-UDP, by HTTP/1.1 and by HTTP/2, and what comes of what they send.
 */
import * as http2 from "node:http2"
import { connect } from "node:net"
import { CapsuleReader } from "../../src/wire/Capsule.ts"

export interface Scenario {
  /** The path; that of a target that sends back what it gets, if left out. */
  readonly path?: string
  readonly method?: string
  readonly version?: "1.0" | "1.1"
  /** Fields in place of those that ask for datagrams by HTTP/1.1, or beside them by HTTP/2. */
  readonly fields?: ReadonlyArray<string>
  /** What the client sends, in these pieces, when it is granted; or at once. */
  readonly sends?: ReadonlyArray<Uint8Array>
  readonly isHasty?: boolean
  /** Whether the client finishes sending behind that. */
  readonly ends?: boolean
}

/** The port of the proxy, the path that leads to a target, and how many datagrams come back. */
interface Place {
  readonly proxy: number
  readonly path: string
  readonly wanted: number
}

/** Notes what comes: the status, the datagrams (long ones by their length), and how the stream ended. */
const notes = (wanted: number, over: () => void) => {
  const reader = new CapsuleReader()
  const payloads: Array<string> = []
  let status: number | undefined
  return {
    granted: (found: number) => {
      status = found
    },
    take: (bytes: Uint8Array) => {
      const take = (payload: Uint8Array) =>
        payloads.push(
          payload.length > 40 ? `${payload.length} bytes` : Buffer.from(payload).toString("latin1")
        )
      for (let at = 0; at < bytes.length; ) at += Number(reader.take(bytes.subarray(at), take))
      // Another one that was not expected would come at once, too.
      if (payloads.length >= wanted) setTimeout(over, 50)
    },
    text: (ending: string) => {
      const isGranted = status === 101 || status === 200
      return isGranted ? ["granted", ...payloads, ending].join(", ") : `${status ?? ending}`
    }
  }
}

/** Milliseconds after which nothing more is expected. */
const patience = 1_500

export const byHttp1 = (scenario: Scenario, { proxy, path, wanted }: Place): Promise<string> =>
  new Promise((resolve) => {
    const { method = "GET", version = "1.1", sends = [], isHasty = false, ends = false } = scenario
    const { fields = ["Connection: Upgrade", "Upgrade: connect-udp", "Capsule-Protocol: ?1"] } = scenario
    const over = (ending: string) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(found.text(ending))
    }
    const found = notes(wanted, () => over("open"))
    const timer = setTimeout(() => over("open"), patience)
    const socket = connect({ port: proxy, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
    const send = async () => {
      for (const piece of sends) await new Promise((then) => socket.write(piece, () => setImmediate(then)))
      if (ends) socket.end()
    }
    let head = ""
    socket.on("data", (chunk) => {
      if (head.includes("\r\n\r\n")) return found.take(chunk)
      head += chunk.toString("latin1")
      const end = head.indexOf("\r\n\r\n")
      if (end === -1) return
      found.granted(Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]))
      if (!/^HTTP\/1\.1 101/.test(head)) return over("refused")
      found.take(Buffer.from(head.slice(end + 4), "latin1"))
      if (!isHasty) void send()
    })
    socket.on("end", () => over("end")).on("error", () => over("reset"))
    const lines = [`${method} ${scenario.path ?? path} HTTP/${version}`, "Host: proxy.example", ...fields]
    const first = isHasty ? Buffer.concat(sends) : Buffer.alloc(0)
    socket.write(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), first]))
  })

export const byHttp2 = (scenario: Scenario, { proxy, path, wanted }: Place): Promise<string> =>
  new Promise((resolve) => {
    const { sends = [], isHasty = false, ends = false, fields = ["Capsule-Protocol: ?1"] } = scenario
    const session = http2.connect(`https://127.0.0.1:${proxy}`, { rejectUnauthorized: false })
    const over = (ending: string) => {
      clearTimeout(timer)
      session.destroy()
      resolve(found.text(ending))
    }
    const found = notes(wanted, () => over("open"))
    const timer = setTimeout(() => over("open"), patience)
    session.on("error", () => {})
    // Extended CONNECT has to wait for the settings of the server.
    session.once("remoteSettings", () => {
      const stream = session.request({
        ":method": "CONNECT",
        ":protocol": "connect-udp",
        ":scheme": "https",
        ":authority": "proxy.example",
        ":path": scenario.path ?? path,
        ...Object.fromEntries(fields.map((field) => field.toLowerCase().split(": ") as [string, string]))
      })
      const send = async () => {
        for (const piece of sends) await new Promise((then) => stream.write(piece, () => setImmediate(then)))
        if (ends) stream.end()
      }
      stream
        .on("response", (headers) => {
          found.granted(Number(headers[":status"]))
          if (headers[":status"] !== 200) over("refused")
          else if (!isHasty) void send()
        })
        .on("data", (chunk: Buffer) => found.take(chunk))
        .on("error", () => {})
        .on("close", () => over(stream.rstCode === 0 ? "end" : "reset"))
      if (isHasty) void send()
    })
  })
