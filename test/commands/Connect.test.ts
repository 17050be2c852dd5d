/**
 * From a target to a connection: what is resolved, what is dialled, and when
 * that is given up.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Connect from "../../src/commands/Connect.ts"
import { ConnectionRefused } from "../../src/Errors.ts"
import { Bandwidth } from "../../src/limits/Bandwidth.ts"
import { Quotas } from "../../src/limits/Quotas.ts"
import * as Usage from "../../src/limits/Usage.ts"
import type { Client } from "../../src/network/Client.ts"
import { Dialer } from "../../src/network/Dialer.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import { Pseudonym } from "../../src/network/Pseudonym.ts"
import { Relay } from "../../src/network/Relay.ts"
import { Resolver } from "../../src/network/Resolver.ts"
import { Policy } from "../../src/policy/Policy.ts"
import * as Config from "../../src/server/Config.ts"
import { pair, serverAddress } from "../../src/testing/index.ts"
import * as Target from "../../src/wire/Target.ts"
import { utf8 } from "../support/bytes.ts"
import { admitted } from "../support/sessions.ts"
import { accepted, settled } from "../support/streams.ts"

/** CONNECT to a host, relayed for no time at all. */
const connected = (client: Client, host: string) => {
  const session = admitted(undefined, "CONNECT", Result.getOrThrow(Target.fromName(utf8(host), 443)))
  return Connect.run({
    client,
    admitted: session,
    request: session.request,
    log: {
      startedAt: 0,
      user: undefined,
      unverifiedUser: undefined,
      status: undefined,
      way: undefined,
      traffic: { sent: 0, received: 0 }
    },
    connected: () => Effect.void,
    chargeRule: () => Effect.void,
    succeeded: () => Effect.void
  })
}

/** Services that tell what they were asked; the dialer connects when `answers`, else never. */
const services = (answers: boolean) => {
  const events: Array<string> = []
  const resolver = Layer.succeed(Resolver, {
    resolve: (name) => {
      events.push(`resolve ${name}`)
      return Effect.succeed([
        NetAddress.ipFromStringUnsafe("192.0.2.7"),
        NetAddress.ipFromStringUnsafe("2001:db8::7")
      ] as const)
    }
  })
  const dialer = Layer.succeed(Dialer, {
    connect: (address, port) =>
      Effect.gen(function* () {
        events.push(`dial ${NetAddress.formatIp(address)} ${port}`)
        yield* Effect.addFinalizer(() => Effect.sync(() => events.push("hung up")))
        if (!answers) return yield* Effect.never
        if (NetAddress.formatIp(address) === "192.0.2.7") return yield* new ConnectionRefused()
        const [duplex] = pair()
        return {
          transport: NodeTransport.make(duplex),
          local: serverAddress,
          remote: NetAddress.inetAddressUnsafe(address, port)
        }
      })
  })
  const relay = Layer.succeed(Relay, { run: () => Effect.succeed("finished") })
  return {
    events,
    layer: Layer.mergeAll(
      ...([resolver, dialer, relay, Policy.layerAnything, Pseudonym.layer, Config.layer()] as const),
      Layer.provide(Bandwidth.layer, Quotas.layerOf(Usage.make()))
    )
  }
}

describe("Connect", () => {
  it.effect("resolves a name once and dials all its addresses", () => {
    const { events, layer } = services(true)
    return Effect.gen(function* () {
      const { peer, client } = yield* accepted
      yield* Effect.scoped(connected(client, "example.com"))
      assert.deepStrictEqual(events, [
        "resolve example.com",
        "dial 192.0.2.7 443",
        "dial 2001:db8::7 443",
        "hung up",
        "hung up"
      ])
      yield* peer.reset
    }).pipe(Effect.provide(layer))
  })

  it.effect("dials an address in text form without a look-up", () => {
    const { events, layer } = services(true)
    return Effect.gen(function* () {
      const { peer, client } = yield* accepted
      yield* Effect.scoped(connected(client, "::ffff:192.0.2.9"))
      assert.deepStrictEqual(events, ["dial 192.0.2.9 443", "hung up"])
      yield* peer.reset
    }).pipe(Effect.provide(layer))
  })

  for (const how of ["end", "reset"] as const) {
    it.effect(`stops dialling when the client leaves by ${how}`, () => {
      const { events, layer } = services(false)
      return Effect.gen(function* () {
        const { peer, client } = yield* accepted
        const opening = yield* Effect.forkChild(Effect.flip(Effect.scoped(connected(client, "192.0.2.9"))))
        yield* settled
        assert.isUndefined(opening.pollUnsafe())
        yield* peer[how]
        assert.strictEqual((yield* Fiber.join(opening))._tag, "ClientGone")
        assert.deepStrictEqual(events, ["dial 192.0.2.9 443", "hung up"])
        yield* peer.reset
      }).pipe(Effect.provide(layer))
    })
  }

  it.effect("continues dialling after a FIN of a client that has sent bytes", () => {
    const { layer } = services(false)
    return Effect.gen(function* () {
      const { peer, client } = yield* accepted
      yield* peer.send("GET / HTTP/1.0\r\n\r\n")
      yield* peer.end
      yield* settled
      const opening = yield* Effect.forkChild(Effect.scoped(connected(client, "192.0.2.9")))
      yield* settled
      assert.isUndefined(opening.pollUnsafe())
      yield* Fiber.interrupt(opening)
      yield* peer.reset
    }).pipe(Effect.provide(layer))
  })
})
