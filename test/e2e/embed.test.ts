/**
 * `examples/embed.ts`, as a client of its proxy sees it.
 */
import { connect, createServer } from "node:net"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Server } from "effect-socks"
import { ProxyLive } from "../../examples/embed.ts"
import * as Peer from "../../src/testing/Peer.ts"
import { credentials, greeting, request } from "../support/messages.ts"

/** The port of a target that sends back what it gets. */
const echo = Effect.gen(function* () {
  const server = createServer((socket) => socket.pipe(socket))
  yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
  yield* Effect.callback<void>((resume) => {
    server.listen(0, "127.0.0.1", () => resume(Effect.void))
  })
  return (server.address() as { readonly port: number }).port
})

it.live("accepts the users of its table, and has no route to port 81", () =>
  Effect.gen(function* () {
    const { addresses } = yield* Server
    const open = (name: string, password: string, port: number) =>
      Effect.gen(function* () {
        const client = Peer.make(connect(addresses[0]!.port, "127.0.0.1"))
        yield* client.send([...greeting(0x02), ...credentials(name, password), ...request("127.0.0.1", port)])
        return client
      })
    const target = yield* echo

    const alice = yield* open("alice", "secret", target)
    assert.deepStrictEqual([...(yield* alice.receive(6))], [5, 2, 1, 0, 5, 0])
    yield* alice.receive(8)
    yield* alice.send("hello")
    assert.strictEqual(new TextDecoder().decode(yield* alice.receive(5)), "hello")
    yield* alice.end

    const stranger = yield* open("mallory", "secret", target)
    assert.deepStrictEqual([...(yield* stranger.rest)], [5, 2, 1, 1])

    const unlucky = yield* open("alice", "secret", 81)
    assert.deepStrictEqual([...(yield* unlucky.rest)], [5, 2, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0])
  }).pipe(Effect.provide(ProxyLive))
)
