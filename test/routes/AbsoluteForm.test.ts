/**
 * Forwarded HTTP requests of a server whose targets are behind an upstream.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Reload } from "../../src/library/Reload.ts"
import type { ServerOptions } from "../../src/library/ServerOptions.ts"
import { layerServer, Network, type Peer, upstream } from "../../src/testing/index.ts"

const at = "192.0.2.9:3128"

/** The head of the next request. */
const head = Effect.fnUntraced(function* ({ receive }: Peer) {
  let text = ""
  while (!text.endsWith("\r\n\r\n")) {
    const byte = yield* receive(1)
    if (byte.length === 0) break
    text += Buffer.from(byte).toString("latin1")
  }
  return text
})

/** Requests that an upstream gets on one connection and another, each answered with this response. */
const played = Effect.fnUntraced(function* (response: string, place = at) {
  const heads: Array<string> = []
  let connections = 0
  yield* (yield* Network).target(place, (peer) =>
    Effect.gen(function* () {
      connections++
      for (;;) {
        const request = yield* head(peer)
        if (request === "") return
        heads.push(request)
        yield* peer.send(response)
      }
    })
  )
  return { heads, connections: () => connections }
})

const other = "192.0.2.10:3128"

/** Options of a server whose client stays at one of these members. */
const through = (...places: ReadonlyArray<string>): ServerOptions => ({
  routes: {
    name: "pool",
    members: places.map((place) => `http://${place}`),
    choose: "sticky",
    stickyBy: "client"
  },
  rules: { allow: true, route: "pool" }
})

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/** The responses to a request for each of these URLs, on one connection. */
const get = Effect.fnUntraced(function* (urls: ReadonlyArray<string>, fields = "") {
  const client = yield* (yield* Network).connect()
  for (const url of urls) yield* client.send(`GET ${url} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`)
  yield* client.end
  return Buffer.from(yield* client.rest).toString()
}, Effect.scoped) as (urls: ReadonlyArray<string>, fields?: string) => Effect.Effect<string, unknown, Network>

describe("a forwarded request through an upstream that speaks HTTP", () => {
  it.effect("stays in absolute form, with the upstream's credentials and not the client's", () =>
    Effect.gen(function* () {
      const { heads, connections } = yield* played(ok)
      const urls = ["http://203.0.113.80/a?b", "http://203.0.113.80:81/", "http://203.0.113.80/c"]
      const answers = yield* get(urls, "Proxy-Authorization: Basic b3RoZXI6cHc=\r\n")
      assert.strictEqual(answers.match(/200 OK/g)?.length, 3)
      assert.match(heads[0]!, /^GET http:\/\/203\.0\.113\.80\/a\?b HTTP\/1\.1\r\nHost: 203\.0\.113\.80\r\n/)
      assert.match(heads[1]!, /^GET http:\/\/203\.0\.113\.80:81\/ HTTP/)
      for (const each of heads) {
        assert.deepStrictEqual(each.match(/proxy-authorization: .*/gi), [
          `Proxy-Authorization: Basic ${btoa("alice:secret")}`
        ])
      }
      // The third request is for the target of the first, on its connection.
      assert.strictEqual(connections(), 2)
    }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: `http://alice:secret@${at}` })))
  )

  it.effect("names its target if the upstream gets names", () =>
    Effect.gen(function* () {
      const { heads } = yield* played(ok)
      yield* (yield* Network).target("target.example:80", () => Effect.die("went directly"))
      yield* get(["http://target.example/"])
      assert.match(heads[0]!, /^GET http:\/\/target\.example\/ HTTP\/1\.1\r\nHost: target\.example\r\n/)
    }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: `http://${at}?names=upstream` })))
  )

  it.effect("goes through a tunnel to the judged address of its name otherwise", () =>
    Effect.gen(function* () {
      const { target } = yield* Network
      const heads: Array<string> = []
      const asked: Array<string> = []
      yield* target("target.example:80", () => Effect.die("went directly"))
      const origin = (peer: Peer) =>
        Effect.gen(function* () {
          heads.push(yield* head(peer))
          yield* peer.send(ok)
        })
      yield* target(
        at,
        upstream({ protocol: "http", target: origin, onRequest: (it) => void asked.push(it) })
      )
      assert.include(yield* get(["http://target.example/"]), "200 OK")
      assert.deepStrictEqual(asked, ["101.0.0.1:80"])
      assert.match(heads[0]!, /^GET \/ HTTP\/1\.1\r\nHost: target\.example\r\n/)
    }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: `http://${at}` })))
  )

  it.effect("does not ask the client for the credentials that the upstream wants", () =>
    Effect.gen(function* () {
      yield* played('HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="up"\r\nContent-Length: 0\r\n\r\n')
      const answer = yield* get(["http://203.0.113.80/"])
      assert.match(answer, /^HTTP\/1\.1 502 /)
      assert.include(answer, "error=proxy_configuration_error")
    }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: `http://${at}` })))
  )

  it.effect("is not sent to a member that was taken out by a reload, whose connection was kept", () =>
    Effect.gen(function* () {
      const reload = yield* Reload
      const client = yield* (yield* Network).connect()
      const found = {
        [at]: yield* played(ok),
        [other]: yield* played(ok, other)
      }
      const ask = Effect.gen(function* () {
        const before = found[at]!.heads.length
        yield* client.send("GET http://203.0.113.80/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert.match(yield* head(client), /^HTTP\/1\.1 200 /)
        yield* client.receive(2)
        return found[at]!.heads.length > before ? at : other
      })
      const first = yield* ask
      const rest = first === at ? other : at
      yield* reload(through(rest, first))
      assert.deepStrictEqual([yield* ask, yield* ask], [first, first])
      yield* reload(through(rest))
      assert.strictEqual(yield* ask, rest)
    }).pipe(Effect.scoped, Effect.provide(layerServer(through(at, other))))
  )

  it.effect("goes through a tunnel if it asks for WebSocket", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const switched = "HTTP/1.1 101 ok\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
      const origin = (peer: Peer) => Effect.andThen(head(peer), peer.send(switched))
      yield* (yield* Network).target(
        at,
        upstream({ protocol: "http", target: origin, onRequest: (it) => void asked.push(it) })
      )
      const fields = "Connection: upgrade\r\nUpgrade: websocket\r\n"
      assert.match(yield* get(["http://203.0.113.80/"], fields), /^HTTP\/1\.1 101 /)
      assert.deepStrictEqual(asked, ["203.0.113.80:80"])
    }).pipe(Effect.scoped, Effect.provide(layerServer({ upstream: `http://${at}` })))
  )
})
