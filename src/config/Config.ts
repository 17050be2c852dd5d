/**
 * The settings a server runs with.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Settings from "./Settings.ts"

export type Values = Settings.Values<typeof Settings.server>

export class Config extends Context.Service<Config, Values>()("effect-socks/config/Config") {
  /** Every setting at its default. */
  static readonly defaults: Values = {
    listen: Settings.server.listen.default,
    protocols: Settings.server.protocols.default,
    user: Settings.server.user.default,
    open: Settings.server.open.default,
    tlsCert: Settings.server.tlsCert.default,
    tlsKey: Settings.server.tlsKey.default,
    tlsClientCa: Settings.server.tlsClientCa.default,
    unixMode: Settings.server.unixMode.default,
    proxyProtocolFrom: Settings.server.proxyProtocolFrom.default,
    handshakeTimeout: Settings.server.handshakeTimeout.default,
    resolveTimeout: Settings.server.resolveTimeout.default,
    connectTimeout: Settings.server.connectTimeout.default,
    idleTimeout: Settings.server.idleTimeout.default,
    halfCloseTimeout: Settings.server.halfCloseTimeout.default,
    drainTimeout: Settings.server.drainTimeout.default,
    bind: Settings.server.bind.default,
    bindTimeout: Settings.server.bindTimeout.default,
    maxSessions: Settings.server.maxSessions.default,
    udp: Settings.server.udp.default,
    udpPorts: Settings.server.udpPorts.default,
    udpIdleTimeout: Settings.server.udpIdleTimeout.default,
    udpFullCone: Settings.server.udpFullCone.default,
    udpFragments: Settings.server.udpFragments.default,
    advertise: Settings.server.advertise.default
  }

  /** The defaults, with these values in their place. */
  static readonly layer = (values: Partial<Values> = {}): Layer.Layer<Config> =>
    Layer.succeed(Config, { ...Config.defaults, ...values })
}
