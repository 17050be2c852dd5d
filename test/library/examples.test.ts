/**
 * The examples that need no port, as clients of their proxies see them.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import { endAllOf, follow, rows } from "../../examples/sessions.ts"
import { Inside, Outside, ProxiesLive } from "../../examples/two-servers.ts"
import { names, ProxyLive, welcome } from "../../examples/users.ts"
import { Accounts } from "../../src/index.ts"
import { layerNetwork, layerServer, Network } from "../../src/testing/index.ts"
import { credentials, greeting, request } from "../support/messages.ts"
import { settled } from "../support/streams.ts"

const login = (name: string) =>
  Effect.gen(function* () {
    const { connect } = yield* Network
    const client = yield* connect()
    yield* client.send([...greeting(0x02), ...credentials(name, "secret"), ...request("192.0.2.1", 80)])
    return client
  })

it.effect("users.ts: a user is added, disabled and removed", () =>
  Effect.gen(function* () {
    const { target } = yield* Network
    yield* target("192.0.2.1:80", ({ ending }) => ending)
    assert.deepStrictEqual([...(yield* (yield* login("alice")).rest)], [5, 2, 1, 1])
    const { add, disable, enable, remove } = yield* Accounts
    yield* welcome("alice", Redacted.make("secret"))
    for (const [leave, back] of [
      [disable, enable],
      [remove, () => welcome("alice", Redacted.make("secret"))]
    ] as const) {
      const client = yield* login("alice")
      assert.deepStrictEqual([...(yield* client.receive(6))], [5, 2, 1, 0, 5, 0])
      assert.isTrue(yield* leave("alice"))
      assert.strictEqual(yield* client.ending, "reset")
      assert.deepStrictEqual([...(yield* (yield* login("alice")).rest)], [5, 2, 1, 1])
      assert.deepStrictEqual(yield* names, [])
      yield* back("alice")
      assert.deepStrictEqual(yield* names, ["alice"])
    }
    assert.isFalse(yield* disable("bob"))
    const error = yield* Effect.flip(add({ name: "bob", limits: { download: "much" as never } }))
    assert.match(error.message, /^users\[0\]\.limits\.download: "much" is not bytes a second/)
  }).pipe(Effect.provide(layerNetwork(ProxyLive)))
)

it.effect("two-servers.ts: one server needs a password, and allows one name", () =>
  Effect.gen(function* () {
    const { connect, target } = yield* Network
    for (const at of ["api.example:443", "192.0.2.1:443"]) yield* target(at, ({ ending }) => ending)
    const [inside, outside] = [yield* Inside, yield* Outside]
    assert.deepStrictEqual([inside.asksPassword, outside.asksPassword], [false, true])
    const to = NetAddress.formatInet(outside.addresses[0]!)
    const reply = Effect.fnUntraced(function* (...target: Parameters<typeof request>) {
      const client = yield* connect({ to })
      yield* client.send([...greeting(0x02), ...credentials("partner", "secret"), ...request(...target)])
      return (yield* client.receive(6))[5]
    })
    assert.strictEqual(yield* reply("api.example", 443), 0)
    assert.strictEqual(yield* reply([192, 0, 2, 1], 443), 2)
  }).pipe(Effect.provide(layerNetwork(ProxiesLive)))
)

it.effect("sessions.ts: lists the sessions, and ends those of a user", () =>
  Effect.gen(function* () {
    const { target } = yield* Network
    yield* target("192.0.2.1:80", ({ ending }) => ending)
    const lines: Array<string> = []
    yield* Effect.forkScoped(
      follow((line) => void lines.push(line)),
      { startImmediately: true }
    )
    const client = yield* login("alice")
    yield* client.receive(14)
    assert.deepStrictEqual(yield* rows, ["1 alice 192.0.2.1:80 0 0"])
    assert.strictEqual(yield* endAllOf("bob"), 0)
    assert.strictEqual(yield* endAllOf("alice"), 1)
    assert.strictEqual(yield* client.ending, "reset")
    yield* settled
    assert.deepStrictEqual(lines, ["192.0.2.1:80: denied"])
  }).pipe(Effect.provide(layerServer({ users: Redacted.make("alice:secret") })))
)
