/**
 * Programs and libraries of others that use UDP ASSOCIATE, none of which knows
 * this server.
 */
import { execFile } from "node:child_process"
import { once } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SocksClient } from "socks"
import { Policy } from "../../src/index.ts"
import { describeWith, python } from "../support/clients.ts"
import * as Dante from "../support/dante.ts"
import { proxy, server, serverOf } from "../support/servers.ts"
import * as Sockets from "../support/sockets.ts"
import { echo, open } from "../support/udp.ts"

/** What a program writes to its output, once it has ended well. */
const output = (
  file: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const child = execFile(
      file,
      args,
      { env: { ...process.env, ...env }, timeout: 15_000 },
      (error, out, err) =>
        resume(error ? Effect.die(new Error(`${file}: ${error.message}\n${err}`)) : Effect.succeed(out))
    )
    return Effect.sync(() => child.kill())
  })

const pySocks = `
import socket, socks, sys
s = socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM)
s.set_proxy(socks.SOCKS5, "127.0.0.1", int(sys.argv[1]))
s.settimeout(10)
for host in ["127.0.0.1", "localhost"]:
    s.sendto(b"hello", (host, int(sys.argv[2])))
    print(*s.recvfrom(100))
`

describeWith(["python3-socks"], () => {
  it.live("gets answers with the address of the sender", () =>
    Effect.gen(function* () {
      const target = yield* echo()
      const out = yield* output(python, ["-c", pySocks, `${yield* proxy()}`, `${target.port}`])
      const line = `b'hello' ('127.0.0.1', ${target.port})\n`
      assert.strictEqual(out, line + line)
    }).pipe(Effect.provide(server()))
  )
})

/** A name server that has 192.0.2.99 for everyone. */
const nameServer = Effect.gen(function* () {
  const peer = yield* open()
  peer.socket.on("message", (query, { port, address }) => {
    const question = query.subarray(12, query.indexOf(0, 12) + 5)
    const answer = [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 99]
    const head = [query[0]!, query[1]!, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]
    peer.socket.send(Uint8Array.from([...head, ...question, ...answer]), port, address)
  })
  return peer
})

describeWith(["dante-client", "ldnsutils"], () => {
  it.live("resolves a name through the server", () => {
    const ports: Array<number> = []
    const policy = Layer.succeed(Policy, {
      judge: ({ target }, address) =>
        Effect.sync(() => {
          if (target && address) ports.push(target.port)
          return { verdict: "allow", rule: "all" }
        })
    })
    return Effect.gen(function* () {
      const { port } = yield* nameServer
      const query = ["drill", "-p", `${port}`, "@127.0.0.1", "proxied.test", "A"]
      const out = yield* output("socksify", query, yield* Dante.environment(yield* proxy()))
      assert.match(out, /^proxied\.test\.\s+60\s+IN\s+A\s+192\.0\.2\.99$/m)
      assert.deepStrictEqual(ports, [port])
    }).pipe(Effect.provide(serverOf({ policy })))
  })
})

describe("the socks package for Node.js", () => {
  const options = (port: number) => ({ proxy: { host: "127.0.0.1", port, type: 5 as const } })
  const closing = (established: ReturnType<typeof SocksClient.createConnection>) =>
    Effect.acquireRelease(
      Effect.promise(() => established),
      ({ socket }) => Effect.sync(() => socket.destroy())
    )

  it.live("associates, and reads datagrams", () =>
    Effect.gen(function* () {
      const [target, client] = [yield* echo(), yield* open()]
      const socks = new SocksClient({
        ...options(yield* proxy()),
        command: "associate",
        destination: { host: "0.0.0.0", port: 0 }
      })
      const { remoteHost } = yield* closing(
        new Promise((resolve, reject) => {
          socks.on("established", resolve).on("error", reject).connect()
        })
      )
      const sent = { remoteHost: { host: "127.0.0.1", port: target.port }, data: Buffer.from("hello") }
      yield* client.send(SocksClient.createUDPFrame(sent), remoteHost!.port, remoteHost!.host)
      const { bytes } = yield* client.receive
      assert.deepStrictEqual(SocksClient.parseUDPFrame(Buffer.from(bytes)), { ...sent, frameNumber: 0 })
    }).pipe(Effect.provide(server()))
  )

  it.live("connects", () =>
    Effect.gen(function* () {
      const { port } = yield* Sockets.echo()
      const { socket } = yield* closing(
        SocksClient.createConnection({
          ...options(yield* proxy()),
          command: "connect",
          destination: { host: "127.0.0.1", port }
        })
      )
      socket.write("hello")
      const [answer] = yield* Effect.promise(() => once(socket, "data"))
      assert.strictEqual(String(answer), "hello")
    }).pipe(Effect.provide(server()))
  )
})
