/**
 * Asks a name server over TCP (RFC 7766) or TLS (RFC 7858). Questions share a connection, which is closed soon after the
 * last answer.
 */
import { randomInt } from "node:crypto"
import type { RecordWithTtl } from "node:dns"
import { connect as connectTcp, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import type * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import type { NameServer } from "../config/NameServer.ts"
import * as Dns from "../wire/Dns.ts"
import type { Queries } from "./DnsCache.ts"

/** Milliseconds for which a connection without questions stays open. */
const idle = 10_000

/** The most questions at once. */
const most = 1024

/** Queries to this server, each with this time limit in milliseconds. */
export const make = (server: NameServer, timeout: number): Queries => {
  let connection: Connection | undefined
  const ask = (version: 4 | 6) => async (name: string) => {
    const question = { name: name as Host.DomainName, version }
    if (connection === undefined || connection.isOver) connection = new Connection(open(server))
    const used = connection
    const isNew = used.isUnused
    const response = await used.ask(question, timeout).catch((error: unknown) => {
      // The server may have closed an idle connection before the question came (RFC 7766 §6.2.4).
      if (isNew || !used.isOver || codeOf(error) === "ETIMEOUT") throw error
      if (connection === undefined || connection.isOver) connection = new Connection(open(server))
      return connection.ask(question, timeout)
    })
    return recordsOf(response)
  }
  return { resolve4: ask(4), resolve6: ask(6) }
}

const open = ({ kind, address, port, certificateName }: NameServer): Socket => {
  const host = NetAddress.formatIp(address)
  if (kind === "tcp") return connectTcp({ host, port, noDelay: true })
  // Without `servername` the certificate must have the address.
  return connectTls({
    ...{ host, port, rejectUnauthorized: true },
    ...(certificateName !== undefined && { servername: certificateName })
  })
}

const recordsOf = ({ code, records }: Dns.Response): ReadonlyArray<RecordWithTtl> => {
  if (code === 3) throw failure("ENOTFOUND")
  if (code !== 0) throw failure(codes[code] ?? "EBADRESP")
  if (records.length === 0) throw failure("ENODATA")
  return records.map(({ address, ttl }) => ({ address: NetAddress.formatIp(address), ttl }))
}

/** The error codes of c-ares for RCODE (RFC 1035 §4.1.1). */
const codes: Readonly<Record<number, string>> = { 1: "EFORMERR", 2: "ESERVFAIL", 4: "ENOTIMP", 5: "EREFUSED" }

const failure = (code: string): Error => Object.assign(new Error(code), { code })
const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code

interface Waiting {
  readonly question: Dns.Question
  readonly timer: NodeJS.Timeout
  readonly resolve: (response: Dns.Response) => void
  readonly reject: (error: unknown) => void
}

class Connection {
  isOver = false
  isUnused = true
  private readonly socket: Socket
  private readonly waiting = new Map<number, Waiting>()
  private received: Buffer = Buffer.alloc(0)

  constructor(socket: Socket) {
    this.socket = socket
    socket.on("data", (bytes: Buffer) => this.receive(bytes))
    socket.on("error", (error: NodeJS.ErrnoException) => this.close(failure(error.code ?? "ECONNREFUSED")))
    socket.on("close", () => this.close(failure("ECONNRESET")))
    socket.setTimeout(idle, () => {
      if (this.waiting.size === 0) this.close(failure("ECONNRESET"))
    })
  }

  ask(question: Dns.Question, timeout: number): Promise<Dns.Response> {
    if (this.waiting.size >= most) return Promise.reject(failure("EBUSY"))
    this.isUnused = false
    let id: number
    do id = randomInt(0x1_0000)
    while (this.waiting.has(id))
    const message = Dns.encode(id, question)
    this.socket.write(Buffer.concat([Buffer.from([message.length >> 8, message.length & 0xff]), message]))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id)
        reject(failure("ETIMEOUT"))
        // A connection on which nothing comes any more would hold up the next questions.
        if (this.waiting.size === 0) this.close(failure("ETIMEOUT"))
      }, timeout)
      this.waiting.set(id, { question, timer, resolve, reject })
    })
  }

  /** Takes the messages that are whole. The size of a message is in the two bytes before it. */
  private receive(bytes: Buffer): void {
    this.received = this.received.length === 0 ? bytes : Buffer.concat([this.received, bytes])
    while (!this.isOver && this.received.length >= 2) {
      const end = 2 + this.received.readUInt16BE(0)
      if (this.received.length < end) return
      const response = Dns.decode(this.received.subarray(2, end))
      this.received = this.received.subarray(end)
      if (response !== undefined) this.take(response)
    }
  }

  private take(response: Dns.Response): void {
    const waiting = this.waiting.get(response.id)
    if (waiting === undefined || !response.answers(waiting.question)) return
    this.waiting.delete(response.id)
    clearTimeout(waiting.timer)
    waiting.resolve(response)
  }

  private close(error: Error): void {
    if (this.isOver) return
    this.isOver = true
    this.socket.destroy()
    for (const { timer, reject } of this.waiting.values()) {
      clearTimeout(timer)
      reject(error)
    }
    this.waiting.clear()
  }
}
