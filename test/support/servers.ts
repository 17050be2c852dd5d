/**
 * The whole server in the test's own process, on real sockets.
 */
import { networkInterfaces } from "node:os"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import {
  AuthLayer,
  Binder,
  Config,
  DatagramRelay,
  Dialer,
  type Errors,
  Interfaces,
  Policy,
  Relay,
  Resolver,
  Server
} from "../../src/index.ts"

/** Containers often go without. */
export const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1")
)

const listen = ["127.0.0.1", ...(hasIPv6 ? ["::1"] : [])].map((host) =>
  Host.hostPortUnsafe(Host.hostFromStringUnsafe(host), 0)
)

/** Listens on loopback, IPv4 first, and writes no log. */
export const server = (values: Partial<Config.Values> = {}) =>
  Server.layerDefault.pipe(Layer.provide(quiet(values)))

/** The same, in a world where every target is at 127.0.0.1: for clients that do not take loopback to a proxy. */
export const serverOfLoopback = (values: Partial<Config.Values> = {}) =>
  serverOf({ dialer: loopbackDialer }, values)

/** The same, with services of the test's own. */
export const serverOf = (
  {
    dialer = Dialer.layer,
    policy = Layer.provide(Policy.layer, Interfaces.layer)
  }: {
    readonly dialer?: Layer.Layer<Dialer, never, Config.Sections>
    readonly policy?: Layer.Layer<Policy, Errors.BadSetting, Config.Sections>
  },
  values: Partial<Config.Values> = {}
) =>
  Server.layer.pipe(
    Layer.provide([
      AuthLayer.layer,
      Resolver.layer,
      dialer,
      policy,
      Binder.layer,
      Relay.layer,
      DatagramRelay.layer
    ]),
    Layer.provide(quiet(values))
  )

const loopbackDialer = Layer.effect(
  Dialer,
  Effect.map(Dialer, ({ connect }) => ({
    connect: (_, port) => connect(NetAddress.ipv4Loopback, port)
  }))
).pipe(Layer.provide(Dialer.layer))

const quiet = (values: Partial<Config.Values>) =>
  Layer.merge(
    Config.layer({ listen, drainTimeout: Duration.millis(1), ...values }),
    Layer.succeed(References.MinimumLogLevel, "None")
  )

/** Its port, at the address of that position in `listen`. */
export const proxy = Effect.fnUntraced(function* (position = 0) {
  const { addresses } = yield* Server
  return addresses[position]!.port
})
