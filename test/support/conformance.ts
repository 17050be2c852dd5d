/**
 * Odd clients and odd origins of HTTP, and what comes of them by one way or another.
 */

import * as http2 from "node:http2"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { setTimeout } from "node:timers/promises"

export interface Scenario {
  readonly name: string
  /** The method; GET, if left out. */
  readonly method?: string
  /** The path; `/`, if left out. One character is one byte. */
  readonly path?: string
  readonly version?: "1.0" | "1.1"
  /** Bytes before the request line. */
  readonly before?: string
  readonly fields?: ReadonlyArray<string>
  readonly body?: string
  /** Sent when the head of a response has come. */
  readonly later?: string
  /** Whether the client finishes sending behind its bytes. */
  readonly ends?: boolean
  /** What the origin does with the head of the request. */
  readonly origin: (socket: Socket, head: string) => void
  /** What is of interest in what the origin got. */
  readonly asked?: RegExp
  /** Groups of what is of interest in what the client got; the status and the body, if left out. */
  readonly got?: RegExp
}

/** Sends these lines with CRLF between them, an empty line, and the body, and ends the connection. */
export const answer =
  (lines: ReadonlyArray<string>, body = "") =>
  (socket: Socket): void => {
    socket.end(Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`, "latin1"))
  }

/** What comes of a scenario, through the proxy on this port or directly: status, body, how it ended, what was asked. */
export const outcome = (scenario: Scenario, proxy: number | undefined): Promise<string> =>
  withOrigin(scenario, (port) =>
    ask(scenario, proxy ?? port, proxy === undefined ? "" : `http://127.0.0.1:${port}`, port)
  )

/** The same by a client of HTTP/2, through the proxy on this port of TLS. */
export const outcomeByHttp2 = (scenario: Scenario, proxy: number): Promise<string> =>
  withOrigin(scenario, (port) => askByHttp2(scenario, proxy, port))

/** What the client got, and what was asked of an origin that plays its part on a port of its own. */
const withOrigin = async (scenario: Scenario, client: (port: number) => Promise<string>): Promise<string> => {
  let asked = ""
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    let isAnswered = false
    socket.on("error", () => {})
    socket.on("data", (chunk) => {
      asked += chunk.toString("latin1")
      const end = asked.indexOf("\r\n\r\n")
      if (end === -1 || isAnswered) return
      isAnswered = true
      scenario.origin(socket, asked.slice(0, end + 4))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const found = await client(port)
  // The last bytes may still be on their way. HTTP/2 has the names of fields in lower case.
  const wanted = scenario.asked && new RegExp(scenario.asked.source, "i")
  for (let i = 0; i < 20 && wanted && !wanted.test(asked); i++) await setTimeout(25)
  for (const socket of sockets) socket.destroy()
  server.close()
  const [seen] = wanted ? (wanted.exec(asked) ?? ["nothing"]) : []
  return seen === undefined ? found : `${found}; asked: ${capitals(seen)}`
}

/** The names of fields at the beginnings of lines as HTTP/1 usually has them. */
const capitals = (text: string): string =>
  text.replace(/^[a-z][a-z-]*(?=:)/gm, (name) => name.replace(/(?:^|-)[a-z]/g, (part) => part.toUpperCase()))

const ask = (scenario: Scenario, to: number, prefix: string, port: number): Promise<string> =>
  new Promise((resolve) => {
    const {
      method = "GET",
      path = "/",
      version = "1.1",
      fields = [],
      before = "",
      body = "",
      later
    } = scenario
    const head = [
      `${method} ${prefix}${path} HTTP/${version}`,
      `Host: 127.0.0.1:${port}`,
      ...(fields.some((field) => /^connection:/i.test(field)) ? [] : ["Connection: close"]),
      ...fields
    ]
    let got = ""
    const socket = connect({ port: to, host: "127.0.0.1", allowHalfOpen: true })
    const over = (ending: string) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(summary(scenario, got, ending))
    }
    const timer = globalThis.setTimeout(() => over("open"), 2_000)
    socket.on("data", (chunk) => {
      if (later !== undefined && got === "") socket.write(Buffer.from(later, "latin1"))
      got += chunk.toString("latin1")
      if (!isWhole(scenario, got)) return
      // What was sent late is still on its way.
      if (later === undefined) over("whole")
      else globalThis.setTimeout(over, 200, "whole")
    })
    socket.on("end", () => over("end"))
    socket.on("error", () => over("reset"))
    socket.write(Buffer.from(`${before}${head.join("\r\n")}\r\n\r\n${body}`, "latin1"))
    if (scenario.ends) socket.end()
  })

/** Whether only HTTP/1 can say what the client says. */
export const isOfHttp1 = ({ version, before, ends, fields = [] }: Scenario): boolean => {
  const names = fields.map((field) => field.split(":")[0]!.toLowerCase())
  return (
    (version ?? before ?? ends) !== undefined ||
    names.some((name, i) => ["connection", "transfer-encoding"].includes(name) || names.indexOf(name) !== i)
  )
}

/** What the client got is written as HTTP/1 has it. */
const askByHttp2 = (scenario: Scenario, to: number, port: number): Promise<string> =>
  new Promise((resolve) => {
    const { method = "GET", path = "/", fields = [], body, later } = scenario
    const session = http2.connect(`https://127.0.0.1:${to}`, { rejectUnauthorized: false })
    const headers: http2.OutgoingHttpHeaders = {
      ":method": method,
      ":scheme": "http",
      ":authority": `127.0.0.1:${port}`,
      ":path": path
    }
    for (const field of fields) {
      const colon = field.indexOf(":")
      headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim()
    }
    let got = ""
    const over = (ending: string) => {
      clearTimeout(timer)
      session.destroy()
      resolve(summary(scenario, got, ending))
    }
    const timer = globalThis.setTimeout(() => over("open"), 2_000)
    const stream = session.request(headers, { endStream: body === undefined && later === undefined })
    let isSent = false
    const head = (received: http2.IncomingHttpHeaders) => {
      const lines = Object.entries(received).flatMap(([name, value]) =>
        name.startsWith(":") ? [] : [value].flat().map((each) => `${name}: ${each}`)
      )
      got += `HTTP/2 ${received[":status"]} \r\n${capitals(lines.join("\r\n"))}\r\n\r\n`
      if (later !== undefined && !isSent) stream.end(Buffer.from(later, "latin1"))
      isSent = true
    }
    stream
      .on("continue", () => head({ ":status": "100" as never }))
      .on("headers", head)
      .on("response", head)
      .on("data", (chunk: Buffer) => {
        got += chunk.toString("latin1")
      })
      .on("error", () => {})
      .on("close", () => {
        const ending = stream.rstCode === 0 ? "end" : "reset"
        // What was sent late is still on its way.
        if (later === undefined) over(ending)
        else globalThis.setTimeout(over, 200, ending)
      })
    session.on("error", () => {})
    if (body !== undefined) stream.write(Buffer.from(body, "latin1"))
    if (body !== undefined && later === undefined) stream.end()
  })

/** The final response: behind the interim ones, of which the head is empty lines further on. */
const split = (got: string): readonly [head: string, body: string] => {
  const [, head = "", body = ""] =
    /^((?:HTTP\/\S+ 1(?!01)\d\d[\s\S]*?\r?\n\r?\n)*HTTP\/[\s\S]*?)\r?\n\r?\n([\s\S]*)$/.exec(got) ?? []
  return [head, body]
}

const isWhole = ({ method, got: interest }: Scenario, got: string): boolean => {
  if (interest?.test(got)) return true
  const [head, body] = split(got)
  if (head === "") return false
  if (/\r\ntransfer-encoding: chunked/i.test(head)) return /(?:^|\r\n)0\r\n(?:.+\r\n)*\r\n$/.test(body)
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  return length !== undefined && (method === "HEAD" || body.length >= Number(length))
}

const summary = (scenario: Scenario, got: string, ending: string): string => {
  if (scenario.got) return scenario.got.exec(got)?.slice(1).join(", ") ?? `nothing, ${statusOf(got)}`
  if (got === "") return ending === "open" ? "silence" : ending === "reset" ? "reset" : "closed"
  const [head, body] = split(got)
  const text = /\r\ntransfer-encoding: chunked/i.test(head) ? dechunked(body) : body
  const isShort = ending === "reset" || (ending === "end" && isCut(scenario, head, body))
  const status = statusOf(got)
  // What proxies say for themselves is their own.
  const own = /^(?:4|5)/.test(status) && !/origin/.test(text) ? "" : ` ${JSON.stringify(text)}`
  return `${status}${own}${isShort ? " cut off" : ""}${ending === "open" ? " open" : ""}`
}

const isCut = (scenario: Scenario, head: string, body: string): boolean =>
  scenario.method !== "HEAD" &&
  /\r\n(?:transfer-encoding|content-length):/i.test(head) &&
  !/^HTTP\S* (?:204|304)/.test(head) &&
  !isWhole(scenario, `${head}\r\n\r\n${body}`)

const statusOf = (got: string): string =>
  /(?:^|\n)HTTP\/\S+ (?!1(?!01))(\d\d\d)/.exec(got)?.[1] ?? "no status"

const dechunked = (body: string): string =>
  body
    .replace(/(^|\r\n)0\r\n[\s\S]*$/, "$1")
    .replace(/(?:^|\r\n)[0-9a-f]+(?:;[^\r]*)?\r\n/gi, "")
    .replace(/\r\n$/, "")
