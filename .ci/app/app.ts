/** An app as a user of the library writes it: a server with a service of its own, asked where it listens, reloaded and ended. */
import { Console, Effect, Layer } from "effect"
import { NetAddress } from "effect/net"
import { Dialer, Errors, Reload, Server, Sessions } from "effect-socks"
import { layerServer, Network } from "effect-socks/testing"

const MyDialer = Layer.succeed(Dialer, { connect: () => Effect.fail(new Errors.NetworkUnreachable()) })

const ServerLive = Server.layer({ listen: "127.0.0.1:0", idleTimeout: "15 minutes" }).pipe(
  Layer.provide(MyDialer)
)

const main = Effect.gen(function* () {
  const server = yield* Server
  const { list } = yield* Sessions
  yield* Console.log(
    `listens on ${server.addresses.map(NetAddress.formatInet).join(", ")}, ${(yield* list).length} sessions`
  )
  yield* (yield* Reload)({ listen: ["127.0.0.1:0", "127.0.0.1:0"] })
  yield* Console.log(`and then on ${server.addresses.map(NetAddress.formatInet).join(", ")}`)
})

await Effect.runPromise(Effect.provide(main, ServerLive))

const test = Effect.gen(function* () {
  const { connect, target } = yield* Network
  yield* target("192.0.2.1:80", ({ send }) => send("hello"))
  const client = yield* connect()
  yield* client.send([5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 0, 80])
  yield* Console.log(`says ${new TextDecoder().decode((yield* client.rest).slice(-5))}`)
})

await Effect.runPromise(Effect.scoped(test).pipe(Effect.provide(layerServer())))
