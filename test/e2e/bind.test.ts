/**
 * BIND on real sockets: where the target has to connect to, who may, and when
 * nobody may any more.
 *
 * @module-tag transport
 */
import { once } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SocksClient } from "socks"
import { greeting, reply, request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import * as Sockets from "../support/sockets.ts"
import * as Tcp from "../support/tcp.ts"

/** A client to which a target may connect, and the port on 127.0.0.1 where it has to. */
const bind = Effect.fnUntraced(function* ({ port: proxy }: Program.Program, host = "127.0.0.1") {
  const client = yield* Sockets.connect(proxy)
  yield* client.send([...greeting(0x00), ...request(host, 0, 0x02)])
  const [, , , code, , ...bound] = yield* client.receive(2 + 10)
  assert.strictEqual(code, 0x00)
  assert.deepStrictEqual(bound.slice(0, 5), [0x01, 127, 0, 0, 1])
  return { client, port: bound[5]! * 256 + bound[6]! }
})

/** Whether nobody may connect there any more. */
const isRefused = (port: number) =>
  Effect.map(Effect.flip(Tcp.connect(port)), (code) => code === "ECONNREFUSED")

const running = Program.forFile(["--bind"])

describe("BIND", () => {
  it.live("relays a connection both ways, of the target or of any host", () =>
    Effect.gen(function* () {
      const server = yield* running
      for (const host of ["127.0.0.1", "0.0.0.0"]) {
        const { client, port } = yield* bind(server, host)
        const target = yield* Sockets.connect(port)
        const targetPort = target.duplex.localPort!
        const second = reply(0x00, [0x01, 127, 0, 0, 1, targetPort >> 8, targetPort & 0xff])
        assert.deepStrictEqual([...(yield* client.receive(10))], second)
        assert.isTrue(yield* isRefused(port), "a second connection")

        yield* client.send("from the client")
        yield* client.end
        assert.strictEqual(text(yield* target.rest), "from the client")
        yield* target.send("from the target!")
        yield* target.end
        assert.strictEqual(text(yield* client.rest), "from the target!")
        const address = `127.0.0.1:${targetPort}`
        const line = yield* server.logged({ command: "BIND", target: `${host}:0`, address })
        assert.deepInclude(line, { outcome: "finished", reply: 0, sent: 15, received: 16 })
      }
    })
  )

  it.live("ends when another host connects, which gets nothing", () =>
    Effect.gen(function* () {
      const server = yield* running
      const { client, port } = yield* bind(server)
      yield* client.send("for the target only")
      const stranger = yield* Sockets.connect(port, "127.0.0.1", "127.0.0.2")
      assert.deepStrictEqual([...(yield* client.rest)], reply(0x02))
      yield* client.end
      assert.deepStrictEqual([...(yield* stranger.rest)], [])
      assert.strictEqual(stranger.error(), "ECONNRESET")
      assert.isTrue(yield* isRefused(port))
      yield* server.logged({ command: "BIND", outcome: "NotAllowed", reply: 2 })
    })
  )

  it.live("ends when no host connects in time", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--bind", "--bind-timeout", "200ms"])
      const { client, port } = yield* bind(server)
      assert.deepStrictEqual([...(yield* client.rest)], reply(0x06))
      yield* client.end
      assert.isTrue(yield* isRefused(port))
      yield* server.logged({ command: "BIND", outcome: "ConnectTimeout", reply: 6 })
    })
  )

  it.live("ends with the client's connection, by FIN or reset", () =>
    Effect.gen(function* () {
      const server = yield* running
      for (const how of ["end", "reset"] as const) {
        const { client, port } = yield* bind(server)
        const from = `127.0.0.1:${client.duplex.localPort}`
        yield* client[how]
        yield* server.logged({ command: "BIND", client: from, outcome: "ClientGone" })
        assert.isTrue(yield* isRefused(port), how)
      }
    })
  )
})

describe("the socks package for Node.js", () => {
  it.live("gets the connection of a target over SOCKS5, and over SOCKS4", () =>
    Effect.gen(function* () {
      const server = yield* running
      for (const type of [5, 4] as const) {
        const client = new SocksClient({
          proxy: { host: "127.0.0.1", port: server.port, type },
          command: "bind",
          destination: { host: "127.0.0.1", port: 0 }
        })
        const [bound, established] = [once(client, "bound"), once(client, "established")]
        client.connect()
        const [{ remoteHost }] = yield* Effect.promise(() => bound)
        const target = yield* Sockets.connect(remoteHost.port, remoteHost.host)
        const [{ socket }] = yield* Effect.promise(() => established)
        socket.end("hello")
        assert.strictEqual(text(yield* target.rest), "hello")
        yield* target.end
        yield* server.logged({ protocol: `SOCKS${type}`, command: "BIND", outcome: "finished", sent: 5 })
      }
    })
  )
})

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
