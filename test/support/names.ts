/**
 * A name server on loopback, and a program that asks it and no other.
 */
import { spawnSync } from "node:child_process"
import { createSocket } from "node:dgram"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createServer as createTlsServer, type TlsOptions } from "node:tls"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Program from "./program.ts"

export type Answer = "no such name" | "failure" | "silence" | ReadonlyArray<ReadonlyArray<number>>

/** What the server says to a question; addresses have 4 or 16 numbers each. */
export type Answers = (name: string, family: 4 | 6) => Answer

/** Where it answers, if a test does not say otherwise: two at once need two addresses. */
const usual = "127.0.0.99"

/** Whether this process may do what `serve` and `start` need. */
export const isPermitted = process.getuid?.() === 0 && spawnSync("unshare", ["-m", "true"]).status === 0

/** Answers until the scope closes; gives the names that it was asked for. */
export const serve = Effect.fnUntraced(function* (
  answers: Answers,
  address = usual
): Effect.fn.Return<ReadonlyArray<string>, never, Scope.Scope> {
  const asked: Array<string> = []
  const socket = createSocket("udp4", (query, from) => {
    const { name, type, end } = question(query)
    asked.push(name)
    const answer = type === 1 || type === 28 ? answers(name, type === 1 ? 4 : 6) : []
    if (answer !== "silence")
      socket.send(response(query.subarray(0, end), type, answer), from.port, from.address)
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      socket.bind(53, address, () => resume(Effect.void))
    }),
    () => Effect.sync(() => socket.close())
  )
  return asked
})

/** A name server on a port of loopback, over a stream: TCP, or TLS with this certificate. */
export interface StreamServer {
  readonly port: number
  readonly asked: ReadonlyArray<string>
  /** Its open connections. */
  readonly sockets: ReadonlySet<Socket>
}

interface StreamOptions {
  readonly tls?: TlsOptions
  /** Cuts each answer into pieces of so many bytes. */
  readonly cut?: number
  /** The first label in the question of each answer, in place of one of the same length. */
  readonly renamed?: string
}

/** Answers over streams until the scope closes. */
export const serveStream = Effect.fnUntraced(function* (
  answers: Answers,
  { tls, cut = 65_535, renamed }: StreamOptions = {}
): Effect.fn.Return<StreamServer, never, Scope.Scope> {
  const asked: Array<string> = []
  const sockets = new Set<Socket>()
  const serve = (socket: Socket) => {
    let received = Buffer.alloc(0)
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket)).on("error", () => {})
    socket.on("data", async (bytes: Buffer) => {
      received = Buffer.concat([received, bytes])
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const query = received.subarray(2, 2 + received.readUInt16BE(0))
        received = received.subarray(2 + query.length)
        const { name, type, end } = question(query)
        asked.push(name)
        const answer = answers(name, type === 1 ? 4 : 6)
        if (answer === "silence") continue
        if (renamed !== undefined) query.write(renamed, 13, "latin1")
        const message = response(query.subarray(0, end), type, answer)
        const framed = Buffer.concat([Buffer.from([message.length >> 8, message.length & 0xff]), message])
        for (let at = 0; at < framed.length; at += cut) {
          socket.write(framed.subarray(at, at + cut))
          if (cut < 65_535) await new Promise((resolve) => setImmediate(resolve))
        }
      }
    })
  }
  const server = yield* Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = tls === undefined ? createServer({ noDelay: true }, serve) : createTlsServer(tls, serve)
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      })
  )
  return { port: (server.address() as { readonly port: number }).port, asked, sockets }
})

/** RFC 1035 §4.1.2: the one question of a query, and where it ends. */
const question = (query: Buffer) => {
  const labels: Array<string> = []
  let at = 12
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

const codes = { failure: 2, "no such name": 3 }

/** RFC 1035 §4.1.1, §4.1.3: the question again, and a record for each address, for no time at all. */
const response = (asked: Buffer, type: number, answer: Exclude<Answer, "silence">): Buffer => {
  const header = Buffer.from(asked)
  const addresses = typeof answer === "string" ? [] : answer
  header.writeUInt16BE(0x8180 | (typeof answer === "string" ? codes[answer] : 0), 2)
  header.writeUInt16BE(addresses.length, 6)
  header.writeUInt32BE(0, 8)
  const records = addresses.map((octets) =>
    Buffer.from([0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0, 0, 0, octets.length, ...octets])
  )
  return Buffer.concat([header, ...records])
}

/** The program where `resolv.conf` and `hosts` are these, which nothing else sees. */
export const start = Effect.fnUntraced(function* (options: {
  readonly flags: ReadonlyArray<string>
  readonly resolvConf: string
  readonly hosts: string
  readonly nameServer?: string
}): Effect.fn.Return<Program.Program, never, Scope.Scope> {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "names-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )
  writeFileSync(
    join(directory, "resolv.conf"),
    `nameserver ${options.nameServer ?? usual}\n${options.resolvConf}\n`
  )
  writeFileSync(join(directory, "hosts"), `${options.hosts}\n`)
  const shell = [
    `mount --bind ${directory}/resolv.conf /etc/resolv.conf`,
    `mount --bind ${directory}/hosts /etc/hosts`,
    'exec "$@"'
  ].join(" && ")
  return yield* Program.start(options.flags, { by: ["unshare", "-m", "bash", "-c", shell, "bash"] })
})
