/**
 * What an app replaces around a whole server: where connections come from, and
 * with whom the server counts. No socket of the system is opened. By the machine's
 * clock, as a server takes its drain timeout to end, which is 1 ms here.
 */

import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import { OriginPool } from "../../src/commands/OriginPool.ts"
import {
  Binder,
  CoordinatorMember,
  CoordinatorSeat,
  DatagramRelay,
  Dialer,
  LocalAddresses,
  NodeTransport,
  Policy,
  Relay,
  Resolver,
  Sockets,
  type Transport
} from "../../src/index.ts"
import * as AuthLayer from "../../src/server/AuthLayer.ts"
import * as Config from "../../src/server/Config.ts"
import * as Reload from "../../src/server/Reload.ts"
import { RunningServer } from "../../src/server/RunningServer.ts"
import { clientAddress, pair, peer, serverAddress } from "../../src/testing/index.ts"
import { greeting, request } from "../support/messages.ts"

const listenAt = Host.hostPortUnsafe(NetAddress.ipv4Loopback, 1080)

/** Connections in memory: every target sends back what it gets, and a test is the client. */
const memory = () => {
  let accept: Transport.ListenOptions["onConnection"] | undefined
  const sockets: Transport.Sockets = {
    connect: (_, __, done) => {
      const [near, far] = pair()
      far.pipe(far)
      queueMicrotask(() => done(serverAddress))
      return NodeTransport.make(near)
    },
    listen: ({ onConnection }) =>
      Effect.sync(() => {
        accept = onConnection
        return { bound: listenAt, stop: () => {} }
      })
  }
  /** The reply code of a request for a connection. */
  const connect = Effect.gen(function* () {
    const [near, far] = pair()
    accept?.(NodeTransport.make(far), { remote: clientAddress, local: serverAddress })
    const client = peer(near)
    yield* client.send([...greeting(0x00), ...request("192.0.2.1", 80)])
    const [, , , code] = yield* client.receive(4)
    return { client, code }
  })
  return { layer: Layer.succeed(Sockets, sockets), connect }
}

const services = Layer.mergeAll(
  AuthLayer.layer,
  Layer.provide(Policy.layer, LocalAddresses.layerFixed([])),
  ...[Resolver.layer, Dialer.layer, Binder.layer, Relay.layer, DatagramRelay.layer, OriginPool.layer]
)

const config = (values: Partial<Config.Values>) =>
  Layer.merge(
    Config.layer({ listen: [listenAt], drainTimeout: Duration.millis(1), open: true, ...values }),
    Layer.succeed(References.MinimumLogLevel, "None")
  )

describe("a server with the sockets of an app", () => {
  it.live("listens and connects by these sockets", () => {
    const { layer, connect } = memory()
    return Effect.gen(function* () {
      const { addresses } = yield* RunningServer
      assert.deepStrictEqual(addresses.map(NetAddress.formatInet), ["127.0.0.1:1080"])
      const { client, code } = yield* connect
      assert.strictEqual(code, 0)
      yield* client.receive(8)
      yield* client.send("hello")
      assert.strictEqual(new TextDecoder().decode(yield* client.receive(5)), "hello")
    }).pipe(
      Effect.provide(
        RunningServer.layer.pipe(Layer.provide(services), Layer.provide(layer), Layer.provide(config({})))
      )
    )
  })
})

describe("servers that are members of one seat", () => {
  const limited = { maxSessionsPerClient: 2 }

  /** A server that is a member of the seat in its context, until the scope closes. */
  const member = (values: Partial<Config.Values>) => {
    const { layer, connect } = memory()
    const server = RunningServer.layerOf(CoordinatorMember.services).pipe(
      Layer.provide(CoordinatorMember.layer),
      Layer.provide(services),
      Layer.provide(layer),
      Layer.provide(config(values))
    )
    const reload = (values: Partial<Config.Values>) =>
      Reload.once(Layer.provideMerge(services, config(values)))
    return Effect.map(Layer.build(Layer.fresh(server)), (built) => ({
      connect: Effect.map(connect, ({ code }) => code),
      reload: (values: Partial<Config.Values>) =>
        Effect.provide(reload(values), Layer.merge(Layer.succeedContext(built), layer))
    }))
  }
  const seat = Layer.provideMerge(CoordinatorSeat.layerLocal, CoordinatorSeat.layer(2)).pipe(
    Layer.provide(config({}))
  )

  it.live("share a limit of sessions of a client, also a limit of a reload", () =>
    Effect.gen(function* () {
      const one = yield* member({})
      const other = yield* member(limited)
      assert.strictEqual(yield* one.connect, 0)
      assert.strictEqual(yield* one.connect, 0)
      yield* one.reload(limited)
      assert.strictEqual(yield* other.connect, 2)
      assert.strictEqual(yield* one.connect, 2)
    }).pipe(Effect.provide(seat))
  )
})
