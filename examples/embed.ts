/**
 * A proxy inside a larger Effect program, with two services of its own: an
 * Authenticator that asks a table which could as well be a database, and a
 * Dialer that fails on purpose, to see what the clients of the proxy make of it.
 *
 *     node examples/embed.ts      (Node 22.18 and later run TypeScript as it is)
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { NetAddress } from "effect/net"
import { Authenticator, Dialer, Errors, Server, Settings, Socks5 } from "effect-socks"

const passwords = new Map([["alice", "secret"]])

/** The users of the table may log in. */
const AuthenticatorLive = Layer.succeed(Authenticator, {
  methods: [Socks5.Method.UsernamePassword],
  verify: ({ username, password }) => {
    const user = new TextDecoder().decode(username)
    return passwords.get(user) === new TextDecoder().decode(password)
      ? Effect.succeed({ user })
      : Effect.fail(new Errors.AuthenticationFailed({ user }))
  }
})

/** The real dialer, except that the network behind port 81 is always down. */
const DialerLive = Layer.effect(
  Dialer,
  Effect.map(Dialer, ({ connect }) => ({
    connect: (address, port) =>
      port === 81 ? Effect.fail(new Errors.NetworkUnreachable()) : connect(address, port)
  }))
).pipe(Layer.provide(Dialer.layer), Layer.provide(Settings.layer({ connectTimeout: "5 seconds" })))

/** The server of this package around them, on a port that the system chooses. */
export const ProxyLive = Server.layer({ listen: "127.0.0.1:0", idleTimeout: "15 minutes" }).pipe(
  Layer.provide([AuthenticatorLive, DialerLive])
)

/** The larger program: it knows where the proxy is, and ends it by ending itself. */
const program = Effect.gen(function* () {
  const { addresses } = yield* Server
  yield* Effect.log(`the proxy is at ${addresses.map(NetAddress.formatInet)}`)
  return yield* Effect.never
})

if (process.argv[1] === import.meta.filename) {
  program.pipe(Effect.provide(ProxyLive), NodeRuntime.runMain)
}
