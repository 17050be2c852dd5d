/**
 * A server that goes on with other settings: what changes, what stays, and what
 * happens to those who are there.
 */
import { assert, beforeEach, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { ListenFailed } from "../../src/Errors.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import { Policy } from "../../src/policy/Policy.ts"
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
import { message, receiveAll } from "../support/http.ts"
import { greeting, request } from "../support/messages.ts"
import { replaceExport } from "../support/replaced.ts"
import { settled } from "../support/streams.ts"

const listening = {
  events: [] as string[],
  open: new Map<string, (transport: unknown, peer: unknown) => void>()
}

const listen = (
  at: Host.HostPort,
  { onConnection }: { readonly onConnection: (transport: unknown, peer: unknown) => void }
) => {
  const address = Host.formatHostPort(at)
  return Effect.acquireRelease(
    Effect.suspend(() => {
      if (at.port === 1) return Effect.fail(new ListenFailed({ address, code: "EACCES" }))
      listening.events.push(`open ${address}`)
      listening.open.set(address, onConnection)
      return Effect.succeed([Host.hostPortUnsafe(NetAddress.ipv4Loopback, at.port)])
    }),
    () =>
      Effect.sync(() => {
        listening.events.push(`close ${address}`)
        listening.open.delete(address)
      })
  )
}

replaceExport(Listener, "listen", listen as never)

beforeEach(() => {
  listening.open.clear()
  listening.events.length = 0
})

const at = (...texts: ReadonlyArray<string>) =>
  texts.map((text) => Result.getOrThrow(Host.hostPortFromString(text)))

const services = (config: Partial<Config.Values>, replacements: Replacements = {}) =>
  Effect.flatMap(Effect.scope, (scope) => Layer.buildWithScope(layer({ ...replacements, config }), scope))

/** A server of these settings, and a way to give it others. */
const started = Effect.fnUntraced(function* (config: Partial<Config.Values>) {
  const first = yield* services(config)
  const built = yield* Layer.buildWithScope(
    Layer.provide(RunningServer.layer, Layer.succeedContext(first)),
    yield* Effect.scope
  )
  const server = yield* Effect.provide(RunningServer, built)
  const reload = Effect.fnUntraced(function* (
    next: Partial<Config.Values>,
    replacements: Replacements = {},
    release?: () => void
  ) {
    yield* server.reload(yield* services(next, replacements), release)
  })
  return { server, reload }
})

/** A client that came in by this listener. */
const arriving = Effect.fnUntraced(function* (address: string) {
  const [near, far] = pair()
  // No server waits, by a clock that stands still, for a client of a test that is over.
  yield* Effect.addFinalizer(() => Effect.sync(() => near.destroy()))
  listening.open.get(address)!(NodeTransport.make(far), { remote: clientAddress, local: serverAddress })
  return peer(near)
})

/** The code of the reply to a request for 192.0.2.1:80. */
const asking = Effect.fnUntraced(function* (address: string) {
  const client = yield* arriving(address)
  yield* client.send([...greeting(0x00), ...request("192.0.2.1", 80)])
  const answer = yield* client.receive(2)
  if (answer[1] !== 0x00) return { client, code: undefined }
  return { client, code: (yield* client.receive(10))[1] }
})

const nobody = Layer.succeed(Policy, {
  judge: () => Effect.succeed({ verdict: "deny", rule: "nobody", reason: "nobody goes anywhere" })
})

const user = [{ name: "alice", password: Redacted.make("secret") }]

describe("Reload", () => {
  it.effect("opens new listeners, closes removed ones, and leaves the others open", () =>
    Effect.gen(function* () {
      const { server, reload } = yield* started({ listen: at("127.0.0.1:1080", "127.0.0.1:1081") })
      yield* reload({ listen: at("127.0.0.1:1082", "127.0.0.1:1080") })
      assert.deepStrictEqual(listening.events, [
        "open 127.0.0.1:1080",
        "open 127.0.0.1:1081",
        "open 127.0.0.1:1082",
        "close 127.0.0.1:1081"
      ])
      assert.deepStrictEqual(
        server.addresses.map(({ port }) => port),
        [1082, 1080]
      )
    })
  )

  it.effect("changes nothing if a listener cannot be opened", () =>
    Effect.gen(function* () {
      const { server, reload } = yield* started({ listen: at("127.0.0.1:1080") })
      const error = yield* Effect.flip(reload({ listen: at("127.0.0.1:1082", "127.0.0.1:1"), user }))
      assert.strictEqual(error._tag, "ListenFailed")
      assert.deepStrictEqual([...listening.open.keys()], ["127.0.0.1:1080"])
      assert.isFalse(server.asksPassword)
      assert.strictEqual((yield* asking("127.0.0.1:1080")).code, 0x00)
    })
  )

  it.effect("changes nothing if the server would become an open proxy", () =>
    Effect.gen(function* () {
      const { reload } = yield* started({ listen: at("0.0.0.0:1080"), user })
      const error = yield* Effect.flip(reload({ listen: at("0.0.0.0:1080") }))
      assert.strictEqual(error._tag, "OpenProxyRefused")
      assert.isUndefined((yield* asking("0.0.0.0:1080")).code)
    })
  )

  it.effect("serves later connections with the new settings", () =>
    Effect.gen(function* () {
      const { server, reload } = yield* started({ listen: at("127.0.0.1:1080") })
      yield* reload({ listen: at("127.0.0.1:1080"), user })
      assert.isTrue(server.asksPassword)
      const client = yield* arriving("127.0.0.1:1080")
      yield* client.send(greeting(0x00))
      assert.deepStrictEqual([...(yield* client.rest)], [0x05, 0xff])
    })
  )

  it.effect("leaves sessions open", () =>
    Effect.gen(function* () {
      const { reload } = yield* started({ listen: at("127.0.0.1:1080") })
      const { client } = yield* asking("127.0.0.1:1080")
      yield* reload({ listen: at("127.0.0.1:1081"), user })
      yield* client.send("still here")
      assert.strictEqual(new TextDecoder().decode(yield* client.receive(10)), "still here")
      yield* client.end
      assert.strictEqual(yield* client.ending, "end")
    })
  )

  it.effect("judges later requests of an earlier connection by the new policy", () =>
    Effect.gen(function* () {
      const { reload } = yield* started({ listen: at("127.0.0.1:1080") })
      const client = yield* arriving("127.0.0.1:1080")
      yield* client.send(message(["GET http://192.0.2.1/ HTTP/1.1"]).subarray(0, 10))
      yield* settled
      yield* reload({ listen: at("127.0.0.1:1080") }, { policy: nobody })
      const rest = ["GET http://192.0.2.1/ HTTP/1.1", "Host: 192.0.2.1", "Connection: close"]
      yield* client.send(message(rest).subarray(10))
      const { status, body } = yield* receiveAll(client)
      assert.deepStrictEqual([status, body], [403, "effect-socks: not allowed: nobody goes anywhere\n"])
    })
  )

  it.effect("needs the present password from clients that have not logged in yet", () =>
    Effect.gen(function* () {
      const { reload } = yield* started({ listen: at("127.0.0.1:1080") })
      const client = yield* arriving("127.0.0.1:1080")
      yield* settled
      yield* reload({ listen: at("127.0.0.1:1080"), user })
      yield* client.send(greeting(0x00))
      assert.deepStrictEqual([...(yield* client.rest)], [0x05, 0xff])
    })
  )

  it.effect("releases the services of a generation when its last connection has ended", () =>
    Effect.gen(function* () {
      const { reload } = yield* started({ listen: at("127.0.0.1:1080") })
      let released = 0
      const listen = at("127.0.0.1:1080")
      yield* reload({ listen }, {}, () => released++)
      const sessions = [yield* asking("127.0.0.1:1080"), yield* asking("127.0.0.1:1080")]
      yield* reload({ listen })
      assert.strictEqual(released, 0)
      for (const { client } of sessions) {
        assert.strictEqual(released, 0)
        yield* client.end
        yield* client.ending
        yield* settled
      }
      assert.strictEqual(released, 1)
    })
  )
})
