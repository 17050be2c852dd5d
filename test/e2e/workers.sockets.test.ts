/**
 * What workers do not share: the sockets of single sessions.
 *
 * @module-tag transport
 */
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { datagram, greeting, reply, request } from "../support/messages.ts"
import * as Sockets from "../support/sockets.ts"
import * as Udp from "../support/udp.ts"
import * as Workers from "../support/workers.ts"

const Server = Context.Service<Workers.Workers>("test/e2e/workers.sockets/Server")

const server = Layer.effect(Server, Workers.start(["--bind"]))

layer(server, { excludeTestServices: true })("sockets of several workers", (it) => {
  it.effect("for datagrams belong to one session each", () =>
    Effect.gen(function* () {
      const server = yield* Server
      const pids = yield* server.pids
      const target = yield* Udp.echo()
      const begun = yield* Workers.spread(
        pids,
        Effect.gen(function* () {
          const associated = yield* Udp.associate(server.port)
          assert.strictEqual(associated.code, 0)
          return { associated, client: associated.control }
        })
      )
      assert.strictEqual(new Set(begun.map(({ associated }) => associated.port)).size, begun.length)
      for (const [index, { associated }] of begun.entries()) {
        const client = yield* Udp.open()
        for (let n = 0; n < 20; n++) {
          const message = datagram("127.0.0.1", target.port, [index, n])
          yield* client.send(message, associated.port)
          const { bytes, from } = yield* client.receive
          assert.deepStrictEqual([bytes, from.port], [message, associated.port])
        }
      }
    })
  )

  it.effect("for BIND belong to one session each", () =>
    Effect.gen(function* () {
      const server = yield* Server
      const pids = yield* server.pids
      const begun = yield* Workers.spread(
        pids,
        Effect.gen(function* () {
          const client = yield* Sockets.connect(server.port)
          yield* client.send([...greeting(0x00), ...request("127.0.0.1", 0, 0x02)])
          const [, , , code, , , , , , , high, low] = yield* client.receive(2 + 10)
          assert.strictEqual(code, 0)
          return { client, port: high! * 256 + low! }
        })
      )
      for (const { client, port } of begun) {
        const target = yield* Sockets.connect(port)
        const from = target.duplex.localPort!
        assert.deepStrictEqual(
          [...(yield* client.receive(10))],
          reply(0x00, [0x01, 127, 0, 0, 1, from >> 8, from & 0xff])
        )
      }
    })
  )
})
