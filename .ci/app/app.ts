/** An app as a user of the library writes it: a server, asked where it listens, and ended. */
import { Console, Effect, Layer } from "effect"
import { Host, NetAddress } from "effect/net"
import { Config, Server } from "effect-socks"

const listen = [Host.hostPortUnsafe(NetAddress.ipv4Loopback, 0)]
const ServerLive = Server.layerDefault.pipe(Layer.provide(Config.layer({ listen })))

const main = Effect.gen(function* () {
  const { addresses } = yield* Server
  yield* Console.log(`listens on ${addresses.map(NetAddress.formatInet).join(", ")}`)
})

await Effect.runPromise(Effect.provide(main, ServerLive))
