/**
 * `examples/sandbox.ts`: what gets out of it, and what does not.
 */
import { statSync } from "node:fs"
import { connect as connectSocket } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import { EgressLive, rules } from "../../examples/sandbox.ts"
import { Resolver } from "../../src/index.ts"
import { layerServer, Network, type Peer, peer } from "../../src/testing/index.ts"
import { greeting, request } from "../support/messages.ts"
import { directory } from "../support/temporary.ts"

/** The code of the reply to a request. */
const asking = Effect.fnUntraced(function* (client: Peer, ...asked: Parameters<typeof request>) {
  yield* client.send([...greeting(0x00), ...request(...asked)])
  return [...(yield* client.receive(4))][3]
})

const quiet = Layer.succeed(References.MinimumLogLevel, "None")

describe("a sandbox", () => {
  for (const [name, host, port] of [
    ["a name that is not on the list", "example.org", 443],
    ["another port of one that is", "github.com", 22],
    ["a name below one that is", "evil.github.com", 443],
    ["the address of one that is", [140, 82, 112, 3], 443],
    ["its own machine", "127.0.0.1", 443],
    ["the cloud's metadata", [169, 254, 169, 254], 80],
    ["a name server", [8, 8, 8, 8], 53]
  ] as const) {
    it.live(`does not reach ${name}`, () =>
      Effect.gen(function* () {
        const path = join(yield* directory, "proxy.sock")
        yield* Effect.gen(function* () {
          assert.strictEqual(statSync(path).mode & 0o777, 0o600)
          const client = peer(connectSocket({ path }))
          assert.strictEqual(yield* asking(client, host, port), 0x02)
        }).pipe(Effect.provide(Layer.provide(EgressLive(path), quiet)))
      })
    )
  }

  it.effect("reaches the targets on the list, at their addresses", () =>
    Effect.gen(function* () {
      const { connect, target } = yield* Network
      const answerOf = (name: string) => Effect.flatMap(connect(), (client) => asking(client, name, 443))
      for (const [name, address] of [
        ["github.com", "140.82.112.3"],
        ["raw.githubusercontent.com", "185.199.108.133"],
        ["api.example.com", "8.8.8.8"]
      ] as const) {
        yield* target(`${address}:443`, ({ ending }) => ending)
        assert.strictEqual(yield* answerOf(name), 0x00, name)
      }
      assert.strictEqual(yield* answerOf("pypi.org"), 0x02)
    }).pipe(
      Effect.provide(
        Layer.provide(
          layerServer({ rules, privateTargets: "deny" }),
          Resolver.layerFixed({
            "github.com": [NetAddress.ipFromStringUnsafe("140.82.112.3")],
            "raw.githubusercontent.com": [NetAddress.ipFromStringUnsafe("185.199.108.133")],
            "api.example.com": [NetAddress.ipFromStringUnsafe("8.8.8.8")],
            // A name on the list that leads inside.
            "pypi.org": [NetAddress.ipFromStringUnsafe("10.0.0.1")]
          })
        )
      )
    )
  )
})
