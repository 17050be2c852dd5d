/**
 * The server around its connections, with a listener that a test hands
 * connections to: whom it refuses to serve, and how it stops.
 */
import { assert, beforeEach, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { ListenFailed } from "../../src/Errors.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import type { Peer } from "../../src/network/Peer.ts"
import { Relay } from "../../src/network/Relay.ts"
import type * as Config from "../../src/server/Config.ts"
import * as Listener from "../../src/server/Listener.ts"
import { RunningServer } from "../../src/server/RunningServer.ts"
import {
  clientAddress,
  layer,
  pair,
  peer,
  type Replacements,
  serverAddress
} from "../../src/testing/index.ts"
import { captured } from "../support/logs.ts"
import { greeting, request } from "../support/messages.ts"
import { replaceExport } from "../support/replaced.ts"
import { settled } from "../support/streams.ts"

const listeners = {
  open: new Map<string, (transport: unknown, peer: unknown) => void>()
}

const listen = (
  at: Host.HostPort,
  { onConnection }: { readonly onConnection: (transport: unknown, peer: unknown) => void }
) =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      const address = Host.formatHostPort(at)
      if (at.port === 1) return Effect.fail(new ListenFailed({ address, code: "EACCES" }))
      listeners.open.set(address, onConnection)
      return Effect.succeed([Host.hostPortUnsafe(NetAddress.ipv4Loopback, at.port)])
    }),
    () => Effect.sync(() => listeners.open.delete(Host.formatHostPort(at)))
  )

replaceExport(Listener, "listen", listen as never)

beforeEach(() => listeners.open.clear())

const at = (...texts: ReadonlyArray<string>) =>
  texts.map((text) => Result.getOrThrow(Host.hostPortFromString(text)))

/** A server with its log, until it is stopped. */
const started = Effect.fnUntraced(function* (
  config: Partial<Config.Values>,
  replacements: Replacements = {}
) {
  const { lines, layer: logs } = captured()
  const scope = yield* Scope.make()
  const services = yield* Layer.buildWithScope(
    Layer.provideMerge(RunningServer.layer, Layer.merge(layer({ ...replacements, config }), logs)),
    scope
  ).pipe(Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))))
  const server = yield* Effect.provide(RunningServer, services)
  return { lines, server, stop: Scope.close(scope, Exit.void) }
})

/** A client that came in through the first listener. */
const arriving = Effect.sync(() => {
  const [near, far] = pair()
  const [accept] = listeners.open.values()
  const from: Peer = { remote: clientAddress, local: serverAddress }
  accept!(NodeTransport.make(far), from)
  return peer(near)
})

const session = Effect.gen(function* () {
  const client = yield* arriving
  yield* client.send([...greeting(0x00), ...request("192.0.2.1", 80)])
  yield* client.receive(12)
  return client
})

const user = [{ name: "alice", password: Redacted.make("secret") }]

describe("Server", () => {
  for (const host of [
    "0.0.0.0:1080",
    "[::]:1080",
    "192.0.2.1:1080",
    "proxy.example:1080",
    "localhost.example:1"
  ]) {
    it.effect(`does not listen on ${host} as an open proxy without --open`, () =>
      Effect.gen(function* () {
        const listen = at("127.0.0.1:1080", host)
        const error = yield* Effect.flip(started({ listen }))
        assert.strictEqual(error._tag, "OpenProxyRefused")
        assert.include(error.message, host)
        assert.lengthOf([...listeners.open], 0)
      })
    )
  }

  it.effect("listens anywhere with a user, or with --open", () =>
    Effect.gen(function* () {
      const listen = at("0.0.0.0:1080")
      const withUser = yield* started({ listen, user })
      assert.isTrue(withUser.server.asksPassword)
      yield* withUser.stop
      const opened = yield* started({ listen, open: true })
      assert.isFalse(opened.server.asksPassword)
      yield* opened.stop
    })
  )

  it.effect("uses the methods of the authenticator, not the settings", () =>
    Effect.gen(function* () {
      const listen = at("0.0.0.0:1080")
      const error = yield* Effect.flip(
        started({ listen, user }, { authenticator: Authenticator.layerAnyone })
      )
      assert.strictEqual(error._tag, "OpenProxyRefused")
    })
  )

  it.effect("needs no password from this machine", () =>
    Effect.gen(function* () {
      const listen = at("127.0.0.1:2", "127.9.9.9:2", "[::1]:2", "localhost:2", "[::ffff:127.0.0.1]:2")
      const { server, stop } = yield* started({ listen })
      assert.lengthOf(server.addresses, listen.length)
      assert.lengthOf([...listeners.open], listen.length)
      yield* stop
      assert.lengthOf([...listeners.open], 0)
    })
  )

  it.effect("closes its listeners if one cannot be opened", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(started({ listen: at("127.0.0.1:1080", "127.0.0.1:1") }))
      assert.strictEqual(
        error.message,
        "cannot listen on 127.0.0.1:1: this process lacks the privilege, which ports below 1024 need"
      )
      assert.lengthOf([...listeners.open], 0)
    })
  )

  it.effect("stops at once without connections", () =>
    Effect.gen(function* () {
      const { lines, stop } = yield* started({})
      yield* stop
      assert.deepStrictEqual(lines, [])
    })
  )

  it.effect("lets sessions finish before it stops, and accepts no new ones", () =>
    Effect.gen(function* () {
      const { lines, stop } = yield* started({})
      const client = yield* session
      const stopping = yield* Effect.forkChild(stop)
      yield* settled
      assert.lengthOf([...listeners.open], 0)
      assert.deepStrictEqual(lines[0], { level: "Info", message: "draining", fields: { connections: 1 } })
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(stopping.pollUnsafe())
      yield* client.send("last words")
      yield* client.end
      assert.strictEqual(new TextDecoder().decode(yield* client.rest), "last words")
      yield* Fiber.join(stopping)
      assert.strictEqual(lines[1]?.fields.outcome, "finished")
    })
  )

  it.effect("resets the remaining sessions after the drain timeout", () =>
    Effect.gen(function* () {
      const { lines, stop } = yield* started({ handshakeTimeout: Duration.minutes(1) })
      const talking = yield* session
      const shaking = yield* arriving
      yield* shaking.send([0x05])
      yield* settled
      const stopping = yield* Effect.forkChild(stop)
      yield* settled
      yield* TestClock.adjust("9999 millis")
      assert.isUndefined(stopping.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(stopping)
      assert.strictEqual(yield* talking.ending, "reset")
      assert.strictEqual(yield* shaking.ending, "reset")
      assert.deepInclude(
        lines.map(({ fields }) => fields.outcome),
        "closed by server"
      )
    })
  )

  it.effect("survives a defect in the reply to an error, and logs it", () =>
    Effect.gen(function* () {
      const relay = Layer.succeed(Relay, { run: () => Effect.die(new Error("a bug")) })
      const { lines, stop } = yield* started({}, { relay })
      const victim = yield* session
      yield* victim.end
      yield* settled
      yield* victim.ending
      const told = lines.find(({ level }) => level === "Error")
      assert.strictEqual(told?.message, "a service died")
      const next = yield* session
      yield* next.end
      yield* next.ending
      yield* stop
    })
  )
})
