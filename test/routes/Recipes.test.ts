/**
 * The configurations of the documentation and of the examples that have routes: each is valid as it is written, and
 * some are run on a network in memory, where an upstream plays its targets itself.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestConsole from "effect/testing/TestConsole"
import { GatewayLive, ProxyLive } from "../../examples/upstream.ts"
import * as Check from "../../src/cli/Check.ts"
import { Server } from "../../src/library/Server.ts"
import { Settings } from "../../src/library/Settings.ts"
import { layerNetwork, Network, upstream } from "../../src/testing/index.ts"
import * as MemoryFiles from "../support/files.ts"
import { credentials, greeting, request } from "../support/messages.ts"
import { settled } from "../support/streams.ts"

const page = (path: string) => readFileSync(join(import.meta.dirname, "../..", path), "utf8")

/** The files that the configurations name. */
const files = {
  "first-hop": "socks5://alice:secret@first.example:1080\n",
  members: "socks5://c.example:1080 name=c\n",
  "egress.key": "0123456789-abcdef\n",
  "rotating-pool.members": page("examples/rotating-pool.members")
}

const blocksOf = (path: string): ReadonlyArray<readonly [name: string, text: string]> =>
  Array.from(page(path).matchAll(/```yaml\n(.*?)```/gs), ([, text], index) => [`${path} ${index + 1}`, text!])

const configs = [
  ...blocksOf("docs/routes.md"),
  ...blocksOf("docs/names-and-egress.md"),
  ["rotating-pool.yaml", page("examples/rotating-pool.yaml")] as const
]

describe("a configuration with routes", () => {
  it.effect.each(configs)("is valid: %s", ([, text]) =>
    Effect.gen(function* () {
      yield* Check.run({ config: ["a.yaml"] })
      assert.match((yield* TestConsole.logLines).join("\n"), /^a\.yaml is right/)
    }).pipe(
      Effect.provide(
        Layer.merge(
          MemoryFiles.layer({ ...files, "a.yaml": text }),
          ConfigProvider.layer(ConfigProvider.fromEnvRecord({}))
        )
      )
    )
  )
})

/** What a session is told, and what its target says: an upstream gives its own name and what it is asked for. */
const visit = Effect.fnUntraced(function* (host: string, login?: readonly [string, string]) {
  const client = yield* (yield* Network).connect()
  const hello = login ? [...greeting(0x02), ...credentials(...login)] : greeting(0x00)
  yield* client.send([...hello, ...request(host, 80)])
  yield* client.receive(login ? 4 : 2)
  const [, code] = yield* client.receive(10)
  yield* client.end
  const said = Buffer.from(yield* client.rest).toString()
  yield* settled
  return code === 0 ? said : `code ${code}`
}, Effect.scoped)

/** Plays an upstream. */
const play = Effect.fnUntraced(function* (at: string, protocol: "socks5" | "http", login = "alice:secret") {
  const options = { protocol, ...(login !== "" && { login }) }
  const { target } = yield* Network
  yield* target(at, (peer) => {
    let asked = ""
    const onRequest = (target: string) => {
      asked = target
    }
    const named = { ...options, onRequest }
    return upstream({ ...named, target: ({ send }) => send(`${at.split(".")[0]} ${asked}`) })(peer)
  })
})

const playTarget = Effect.fnUntraced(function* (at: string) {
  yield* (yield* Network).target(at, ({ send }) => send(`directly ${at}`))
})

/** The server of a config file of the documentation. */
const serverOf = (text: string) =>
  layerNetwork(
    Layer.unwrap(Effect.map(Settings.fromFile("a.yaml"), Server.layer)).pipe(
      Layer.provide(MemoryFiles.layer({ ...files, "a.yaml": text }))
    )
  )

const containing = (part: string) => configs.find(([, text]) => text.includes(part))![1]

describe("a recipe", () => {
  it.effect("for a corporate proxy reaches what is inside directly", () =>
    Effect.gen(function* () {
      yield* play("proxy.corp.example:3128", "http")
      yield* playTarget("wiki.corp.example:80")
      yield* playTarget("10.1.2.3:80")
      yield* playTarget("www.example:80")
      assert.strictEqual(yield* visit("wiki.corp.example"), "directly wiki.corp.example:80")
      assert.strictEqual(yield* visit("10.1.2.3"), "directly 10.1.2.3:80")
      assert.strictEqual(yield* visit("www.example"), "proxy www.example:80")
      assert.strictEqual(yield* visit("203.0.113.1"), "proxy 203.0.113.1:80")
    }).pipe(Effect.scoped, Effect.provide(serverOf(containing("no-proxy: [corp.example, 10.0.0.0/8]"))))
  )

  it.effect("for a pool gives each client a member of its own", () =>
    Effect.gen(function* () {
      yield* play("a.example:1080", "socks5", "")
      yield* play("b.example:1080", "socks5", "")
      const first = yield* visit("203.0.113.1")
      assert.match(first, /^[ab] /)
      for (let i = 0; i < 3; i++) assert.strictEqual(yield* visit("203.0.113.1"), first)
    }).pipe(
      Effect.scoped,
      Effect.provide(serverOf(containing(`"socks5://b.example:1080"], choose: sticky, sticky-by: client }`)))
    )
  )

  it.effect("for a rotating pool takes turns, or sticks to a session", () =>
    Effect.gen(function* () {
      yield* play("a.example:1080", "socks5")
      yield* play("b.example:3128", "http")
      const members = yield* Effect.replicateEffect(visit("203.0.113.1", ["alice", "secret"]), 6)
      assert.deepStrictEqual([...new Set(members.map((text) => text[0]))].sort(), ["a", "b"])
      const sticky = yield* Effect.replicateEffect(visit("203.0.113.1", ["alice-session-42", "secret"]), 4)
      assert.strictEqual(new Set(sticky).size, 1)
      for (const [country, member] of [
        ["de", "a"],
        ["fr", "b"]
      ]) {
        const login = [`alice-country-${country}`, "secret"] as const
        for (const text of yield* Effect.replicateEffect(visit("203.0.113.1", login), 3)) {
          assert.strictEqual(text[0], member)
        }
      }
    }).pipe(Effect.scoped, Effect.provide(serverOf(containing("members-file: rotating-pool.members"))))
  )
})

describe("upstream.ts", () => {
  it.effect("goes through the proxy of the company, or the user's member of the pool", () =>
    Effect.gen(function* () {
      yield* play("proxy.corp.example:3128", "http", "")
      yield* play("a.example:1080", "socks5")
      yield* play("b.example:1080", "socks5")
      yield* playTarget("wiki.corp.example:80")
      assert.strictEqual(yield* visit("wiki.corp.example", ["alice", "secret"]), "proxy wiki.corp.example:80")
      const first = yield* visit("203.0.113.1", ["bob", "secret"])
      assert.match(first, /^[ab] 203\.0\.113\.1:80/)
      assert.strictEqual(yield* visit("203.0.113.1", ["bob", "secret"]), first)
    }).pipe(Effect.scoped, Effect.provide(layerNetwork(ProxyLive)))
  )

  it.effect("has a route of the app's own, which goes by its table", () =>
    Effect.gen(function* () {
      const { target } = yield* Network
      yield* playTarget("intranet.example:80")
      yield* playTarget("www.example:80")
      yield* target("192.0.2.250:80", ({ send }) => send("the gateway"))
      assert.strictEqual(yield* visit("intranet.example"), "the gateway")
      assert.strictEqual(yield* visit("www.example"), "directly www.example:80")
    }).pipe(Effect.scoped, Effect.provide(layerNetwork(GatewayLive)))
  )
})
