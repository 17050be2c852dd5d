/**
 * Connections that Effect's `SocketServer` accepts, which it hands over paused.
 */
import { NodeSocket, NodeSocketServer } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { SocketServer } from "effect/socket"
import { Connection } from "../../src/index.ts"
import { credentials, greeting, request } from "../support/messages.ts"
import { connect, echo } from "../support/sockets.ts"

const listening = NodeSocketServer.layer({ port: 0, host: "127.0.0.1", allowHalfOpen: true })

it.live("are served", () =>
  Effect.gen(function* () {
    const { run, address } = yield* SocketServer.SocketServer
    // The server provides it, which its type does not say.
    const socket = Effect.map(Effect.serviceOption(NodeSocket.NetSocket), Option.getOrThrow)
    yield* Effect.forkScoped(run(() => Effect.flatMap(socket, Connection.handleSocket)))
    const target = yield* echo()
    assert.isTrue(NetAddress.isInetAddress(address))
    const client = yield* connect(NetAddress.isInetAddress(address) ? address.port : 0)
    yield* client.send([
      ...greeting(0x02),
      ...credentials("alice", "secret"),
      ...request("127.0.0.1", target.port)
    ])
    assert.deepStrictEqual([...(yield* client.receive(6))], [5, 2, 1, 0, 5, 0])
    yield* client.receive(8)
    yield* client.send("hello")
    assert.strictEqual(new TextDecoder().decode(yield* client.receive(5)), "hello")
    yield* client.end
    assert.strictEqual(yield* client.ending, "end")
  }).pipe(
    Effect.provide(
      Layer.merge(
        listening,
        Connection.layer({ listen: "127.0.0.1:0", users: Redacted.make("alice:secret") })
      )
    )
  )
)

it.effect("need a password, unless only this machine connects", () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(Effect.scoped(Layer.build(Connection.layer())))
    assert.strictEqual(error._tag, "OpenProxyRefused")
    yield* Effect.scoped(Layer.build(Connection.layer({ listen: "127.0.0.1:0" })))
  })
)
