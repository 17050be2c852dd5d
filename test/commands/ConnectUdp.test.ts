/**
 * CONNECT-UDP, by HTTP/1.1 and HTTP/2 in memory, with targets on loopback.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { CurrentListener } from "../../src/network/CurrentListener.ts"
import { Resolver } from "../../src/network/Resolver.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { connect, layer, type Replacements } from "../../src/testing/index.ts"
import * as Capsule from "../../src/wire/Capsule.ts"
import { message, receive, text } from "../support/http.ts"
import { ask, dial, tunnel } from "../support/http2.ts"
import { settled } from "../support/streams.ts"
import { echo, open } from "../support/udp.ts"

const services = ({ config, ...replacements }: Replacements = {}) =>
  Effect.provide(layer({ config: { privateTargets: "allow", ...config }, ...replacements }))

const path = (host: string, port: number) => `/.well-known/masque/udp/${host}/${port}/`

const extended = (host: string, port: number) => ({
  ":protocol": "connect-udp",
  ":scheme": "https",
  ":path": path(host, port),
  "capsule-protocol": "?1"
})

const upgrade = Effect.fnUntraced(function* (host: string, port: number, ...fields: ReadonlyArray<string>) {
  const client = yield* connect
  yield* client.send(
    message([
      `GET ${path(host, port)} HTTP/1.1`,
      "Host: proxy.example",
      "Connection: Upgrade",
      "Upgrade: connect-udp",
      ...fields
    ])
  )
  return { ...client, response: yield* receive(client) }
})

const capsule = (payload: string) => Capsule.datagram(Buffer.from(payload, "latin1"))

describe("CONNECT-UDP", () => {
  it.effect("relays datagrams over HTTP/2, of each stream its own", () =>
    Effect.gen(function* () {
      const target = yield* echo()
      const session = yield* dial()
      const one = yield* tunnel(session, "proxy.example", extended("127.0.0.1", target.port))
      const other = yield* tunnel(session, "proxy.example", extended("127.0.0.1", target.port))
      assert.deepStrictEqual([one.status, other.status], [200, 200])
      yield* one.send(capsule("one"))
      yield* other.send(capsule("other"))
      assert.deepStrictEqual(yield* one.receive(6), capsule("one"))
      assert.deepStrictEqual(yield* other.receive(8), capsule("other"))
      const ports = [(yield* target.receive).from.port, (yield* target.receive).from.port]
      assert.notStrictEqual(ports[0], ports[1])
      const { list } = yield* SessionRegistry
      const [, first] = yield* list
      assert.strictEqual(first?.admitted?.request.command, "ASSOCIATE")
      assert.deepStrictEqual([first?.traffic.sent, first?.traffic.received], [3, 3])
      yield* one.end
      assert.strictEqual(text(yield* one.rest), "")
    }).pipe(services())
  )

  it.effect("relays datagrams over HTTP/1.1, those sent ahead too, whole and empty ones", () =>
    Effect.gen(function* () {
      const target = yield* echo()
      const client = yield* upgrade("127.0.0.1", target.port)
      assert.strictEqual(client.response.start, "HTTP/1.1 101 Switching Protocols")
      assert.strictEqual(client.response.fields["capsule-protocol"], "?1")
      for (const payload of ["", "a".repeat(1), "b".repeat(1200), "c".repeat(60_000)]) {
        const sent = capsule(payload)
        for (const part of [sent.subarray(0, 2), sent.subarray(2, 700), sent.subarray(700)])
          yield* client.send(part)
        assert.deepStrictEqual(yield* client.receive(sent.length), sent)
      }
    }).pipe(services())
  )

  it.effect("resolves names, in any spelling of the path", () =>
    Effect.gen(function* () {
      const target = yield* echo()
      const client = yield* upgrade("target%2Eexample", target.port)
      yield* client.send(capsule("hello"))
      assert.deepStrictEqual(yield* client.receive(8), capsule("hello"))
    }).pipe(services({ resolver: Resolver.layerFixed({ "target.example": [NetAddress.ipv4Loopback] }) }))
  )

  it.effect("relays only datagrams from the target", () =>
    Effect.gen(function* () {
      const target = yield* open()
      const stranger = yield* open()
      const client = yield* upgrade("127.0.0.1", target.port)
      yield* client.send(capsule("hello"))
      const { from } = yield* target.receive
      yield* stranger.send(Buffer.from("spoof"), from.port)
      yield* target.send(Buffer.from("answer"), from.port)
      assert.deepStrictEqual(yield* client.receive(9), capsule("answer"))
    }).pipe(services({ config: { udpFullCone: true } }))
  )

  it.effect("ignores unknown capsules and contexts, and ends a malformed stream", () =>
    Effect.gen(function* () {
      const target = yield* echo()
      const client = yield* upgrade("127.0.0.1", target.port)
      yield* client.send([0x40, 0x99, 3, 1, 2, 3, 0, 2, 5, 9, ...capsule("hello")])
      assert.deepStrictEqual(yield* client.receive(8), capsule("hello"))
      yield* client.send([0, 0xbf, 0xff, 0xff, 0xff])
      assert.strictEqual(yield* client.ending, "reset")
    }).pipe(services())
  )
})

describe("the policy", () => {
  it.effect("judges the target before the reply, which has the reason", () =>
    Effect.gen(function* () {
      const { response } = yield* upgrade("127.0.0.1", 53)
      assert.strictEqual(response.status, 403)
      const session = yield* dial()
      const answer = yield* ask(session, {
        ":method": "CONNECT",
        ":authority": "proxy.example",
        ...extended("::1".replaceAll(":", "%3A"), 53)
      })
      assert.strictEqual(answer.status, 403)
      const unknown = yield* upgrade("unknown.example", 53)
      assert.strictEqual(unknown.response.status, 502)
    }).pipe(services({ config: { privateTargets: "deny" } }))
  )

  it.effect("refuses invalid targets, and all targets without UDP", () =>
    Effect.gen(function* () {
      for (const [host, port] of [
        ["a%zz", 53],
        ["127.0.0.1", 0],
        ["127.0.0.1", 70_000],
        ["a%2Fb", 53],
        ["%5B::1%5D", 53],
        ["0.0.0.0", 53]
      ] as const) {
        assert.strictEqual((yield* upgrade(host, port)).response.status, 400, `${host} ${port}`)
      }
      const framed = yield* upgrade("127.0.0.1", 53, "Content-Length: 1")
      assert.strictEqual(framed.response.status, 400)
      const session = yield* dial()
      const other = { ...extended("127.0.0.1", 53), ":protocol": "websocket" }
      const { status } = yield* ask(session, {
        ":method": "CONNECT",
        ":authority": "proxy.example",
        ...other
      })
      assert.strictEqual(status, 400)
    }).pipe(services())
  )

  it.effect("a listener without UDP has none", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* upgrade("127.0.0.1", 53)).response.status, 501)
    }).pipe(
      Effect.provideService(CurrentListener, { protocols: ["http"], udp: true, capsules: false }),
      services()
    )
  )

  it.effect("asks for a password", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* upgrade("127.0.0.1", 53)).response.status, 407)
      const target = yield* echo()
      const credentials = `Proxy-Authorization: Basic ${btoa("alice:secret")}`
      const client = yield* upgrade("127.0.0.1", target.port, credentials)
      assert.strictEqual(client.response.status, 101)
    }).pipe(
      services({
        authenticator: Authenticator.layerUsers([{ name: "alice", password: Redacted.make("secret") }])
      })
    )
  )
})

describe("limits", () => {
  it.effect("end it when no datagram has passed for the idle timeout, and count it as an association", () =>
    Effect.gen(function* () {
      const target = yield* echo()
      const first = yield* upgrade("127.0.0.1", target.port)
      assert.strictEqual(first.response.status, 101)
      assert.strictEqual((yield* upgrade("127.0.0.1", target.port)).response.status, 429)
      const { census } = yield* SessionRegistry
      assert.strictEqual((yield* census).associations, 1)
      yield* TestClock.adjust("30 seconds")
      yield* settled
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(text(yield* first.rest), "")
      yield* settled
      assert.strictEqual((yield* census).associations, 0)
    }).pipe(services({ config: { udpIdleTimeout: Duration.seconds(30), udpAssociations: 1 } }))
  )
})
