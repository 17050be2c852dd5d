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
import type { BadSetting } from "../../src/Errors.ts"
import { Dialer } from "../../src/network/Dialer.ts"
import type { Policy } from "../../src/policy/Policy.ts"
import * as Composition from "../../src/server/Composition.ts"
import * as Config from "../../src/server/Config.ts"
import { RunningServer } from "../../src/server/RunningServer.ts"

/** Containers often go without. */
export const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1")
)

const listen = ["127.0.0.1", ...(hasIPv6 ? ["::1"] : [])].map((host) =>
  Host.hostPortUnsafe(Host.hostFromStringUnsafe(host), 0)
)

/** Listens on loopback, IPv4 first, and writes no log. */
export const server = (values: Partial<Config.Values> = {}) => serverOf({}, values)

/** The same, in a world where every target is at 127.0.0.1: for clients that do not take loopback to a proxy. */
export const serverOfLoopback = (values: Partial<Config.Values> = {}) =>
  serverOf({ dialer: loopbackDialer }, values)

/** The same, with services of the test's own. */
export const serverOf = (
  replacements: {
    readonly dialer?: Layer.Layer<Dialer, never, Config.Sections>
    readonly policy?: Layer.Layer<Policy, BadSetting, Config.Sections>
  },
  values: Partial<Config.Values> = {}
) => RunningServer.layer.pipe(Layer.provide(Composition.services(replacements)), Layer.provide(quiet(values)))

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
  const { addresses } = yield* RunningServer
  return addresses[position]!.port
})
