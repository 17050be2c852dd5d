/**
 * A proxy behind other proxies: names of the company go through its proxy, which resolves them itself, and
 * everything else through a pool, of which each user keeps a member. And a server whose app has a route of its own: some
 * targets have a gateway.
 *
 *     node examples/upstream.ts      (Node 22.18 and later run TypeScript as it is)
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Redacted } from "effect"
import { NetAddress } from "effect/net"
import { CurrentRoute, Dialer, Server, Target } from "effect-socks"

/** Passwords of upstreams are secrets, so their URLs are `Redacted` where they have one. */
const member = (host: string) => Redacted.make(`socks5://alice:secret@${host}:1080`)

/** The server with its routes, on a port that the system chooses. */
export const ProxyLive = Server.layer({
  listen: "127.0.0.1:0",
  users: [Redacted.make("alice:secret"), Redacted.make("bob:secret")],
  routes: [
    { name: "office", via: "http://proxy.corp.example:3128", names: "upstream" },
    {
      name: "pool",
      members: [
        { name: "a", via: member("a.example") },
        { name: "b", via: member("b.example"), weight: 2 }
      ],
      choose: "sticky"
    }
  ],
  rules: [
    { allow: true, to: "*.corp.example", route: "office" },
    { allow: true, route: "pool" }
  ]
})

/** Gateways of the app, by the names of targets. */
const gateways = new Map([["intranet.example:80", NetAddress.ipFromStringUnsafe("192.0.2.250")]])

/**
 * The direct route, except for targets that have a gateway. A route gets allowed addresses only, and charges the rule of
 * an address before it uses that.
 */
export const RouteByTable = Layer.effect(
  CurrentRoute,
  Effect.map(CurrentRoute, (direct) => ({
    ...direct,
    connect: Effect.fnUntraced(function* (to: Parameters<typeof direct.connect>[0]) {
      const gateway = gateways.get(Target.format(to.access.target))
      if (gateway === undefined) return yield* direct.connect(to)
      const [{ decision }] = to.permitted
      yield* to.chargeRule(decision)
      const outgoing = yield* (yield* Dialer).connect(gateway, to.access.target.port)
      return { outgoing: { ...outgoing, way: { route: "gateway" } }, decision }
    })
  }))
)

/** A server with that route. It can have no routes in its settings, as the route of an app is in their place. */
export const GatewayLive = Server.layer({ listen: "127.0.0.1:0" }).pipe(Layer.provide(RouteByTable))

const program = Effect.gen(function* () {
  const { addresses } = yield* Server
  yield* Effect.log(`the proxy is at ${addresses.map(NetAddress.formatInet)}`)
  return yield* Effect.never
})

if (process.argv[1] === import.meta.filename) {
  program.pipe(Effect.provide(ProxyLive), NodeRuntime.runMain)
}
