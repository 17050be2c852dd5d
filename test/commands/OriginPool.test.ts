/**
 * Connections to origins are used again: by the same owner, for the same address, for a while, and never when a request
 * could be lost by it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Authenticator } from "../../src/auth/Authenticator.ts"
import { Resolver } from "../../src/network/Resolver.ts"
import { Policy } from "../../src/policy/Policy.ts"
import { Events } from "../../src/session/Events.ts"
import { connect, connectWith, dialer, layer, type Peer, targetAddress } from "../../src/testing/index.ts"
import { message, receive, requests } from "../support/http.ts"
import { settled } from "../support/streams.ts"

const users = ["alice", "bob"]
const authenticator = Authenticator.layerUsers(
  users.map((name) => ({ name, password: Redacted.make("secret") }))
)
const as = (name: string) => `Proxy-Authorization: Basic ${btoa(`${name}:secret`)}`

const askOf = (host: string, method: string, path: string, ...fields: ReadonlyArray<string>) =>
  message([`${method} http://${host}${path} HTTP/1.1`, "Host: a", ...fields])

const ask = (method: string, path: string, ...fields: ReadonlyArray<string>) =>
  askOf("target.example", method, path, ...fields)

const ok = (text: string) => message(["HTTP/1.1 200 OK", `Content-Length: ${text.length}`], text)

/** Origins that answer with the number of their connection, or as `answer` does. */
const numbered = (answer?: (connection: number, request: number, peer: Peer) => Uint8Array | undefined) => {
  const connections: Array<Peer> = []
  const heads: Array<string> = []
  const targets = dialer((peer) => {
    const connection = connections.push(peer)
    let count = 0
    const read = requests((head) => {
      heads.push(head)
      count++
      const bytes = answer ? answer(connection, count, peer) : ok(String(connection))
      if (bytes) peer.duplex.write(bytes)
    })
    peer.duplex.on("data", read)
  })
  return { connections, heads, targets }
}

/** Sends requests on one connection of a client, and returns the bodies of the answers. */
const bodies = Effect.fnUntraced(function* (...all: ReadonlyArray<Uint8Array>) {
  const client = yield* connect
  const found: Array<string> = []
  for (const request of all) {
    yield* client.send(request)
    found.push((yield* receive(client)).body)
    yield* settled
  }
  return found
})

describe("a connection to an origin", () => {
  it.effect("is used again, by other connections of the same client, too", () => {
    const { targets } = numbered()
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* bodies(ask("GET", "/1"), ask("GET", "/2")), ["1", "1"])
      assert.deepStrictEqual(yield* bodies(ask("DELETE", "/3"), ask("GET", "/4")), ["1", "1"])
    }).pipe(Effect.provide(layer({ dialer: targets })))
  })

  it.effect("is never used for another user", () => {
    const { targets } = numbered()
    return Effect.gen(function* () {
      const all = yield* bodies(...["alice", "bob", "alice", "bob"].map((name) => ask("GET", "/", as(name))))
      assert.deepStrictEqual(all, ["1", "2", "1", "2"])
    }).pipe(Effect.provide(layer({ dialer: targets, authenticator })))
  })

  it.effect("is not used for another address, not even of the same network of IPv6", () => {
    const { targets } = numbered()
    return Effect.gen(function* () {
      const found: Array<string> = []
      for (const remote of ["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::1]:2", "192.0.2.7:1"]) {
        const client = yield* connectWith({ remote: NetAddress.inetAddressFromStringUnsafe(remote) })
        yield* client.send(ask("GET", "/"))
        found.push((yield* receive(client)).body)
        yield* settled
      }
      assert.deepStrictEqual(found, ["1", "2", "1", "3"])
    }).pipe(Effect.provide(layer({ dialer: targets, config: { open: true } })))
  })

  it.effect("is not used for another name of its address, which a stranger may have pointed there", () => {
    const { targets } = numbered()
    const resolver = Resolver.layerFixed({
      "target.example": [targetAddress.address],
      "stranger.example": [targetAddress.address]
    })
    return Effect.gen(function* () {
      const all = yield* bodies(
        ask("GET", "/", "Authorization: NTLM TlRMTVNTUAAB"),
        askOf("stranger.example", "GET", "/"),
        ask("GET", "/"),
        askOf("stranger.example", "GET", "/"),
        askOf("192.0.2.1", "GET", "/")
      )
      assert.deepStrictEqual(all, ["1", "2", "1", "2", "3"])
    }).pipe(Effect.provide(layer({ dialer: targets, resolver })))
  })

  it.effect("is not used when its address was denied meanwhile", () => {
    const { targets, connections } = numbered()
    let isDenied = false
    const policy = Layer.succeed(Policy, {
      judge: (_, address) =>
        Effect.succeed({ verdict: isDenied && address ? ("deny" as const) : ("allow" as const), rule: "new" })
    })
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(ask("GET", "/1"))
      assert.strictEqual((yield* receive(client)).status, 200)
      isDenied = true
      yield* client.send(ask("GET", "/2"))
      assert.strictEqual((yield* receive(client)).status, 403)
      assert.lengthOf(connections, 1)
    }).pipe(Effect.provide(layer({ dialer: targets, policy })))
  })

  it.effect("is new for a request that must not be made twice, and is kept after it", () => {
    const { targets } = numbered()
    const post = message(["POST http://target.example/ HTTP/1.1", "Host: a", "Content-Length: 2"], "hi")
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* bodies(ask("GET", "/"), post, ask("GET", "/"), post), [
        "1",
        "2",
        "2",
        "3"
      ])
    }).pipe(Effect.provide(layer({ dialer: targets })))
  })

  it.effect("is closed after 15 seconds, or when the origin ends it or sends bytes", () => {
    const { targets, connections } = numbered()
    return Effect.gen(function* () {
      yield* bodies(ask("GET", "/"))
      yield* TestClock.adjust("16 seconds")
      assert.strictEqual(yield* connections[0]!.ending, "reset")
      yield* bodies(ask("GET", "/"))
      yield* connections[1]!.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfor none")
      yield* settled
      assert.deepStrictEqual(yield* bodies(ask("GET", "/")), ["3"])
      yield* connections[2]!.end
      yield* settled
      assert.deepStrictEqual(yield* bodies(ask("GET", "/")), ["4"])
    }).pipe(Effect.provide(layer({ dialer: targets })))
  })

  it.effect("that was closed at the moment of its use is replaced once", () => {
    const { targets, heads } = numbered((connection, request, peer) => {
      if (request === 1) return ok(String(connection))
      peer.duplex.destroy()
      return undefined
    })
    return Effect.gen(function* () {
      let connected = 0
      yield* (yield* Events).listen(["SessionConnected"], () => Effect.sync(() => connected++))
      assert.deepStrictEqual(yield* bodies(ask("GET", "/1"), ask("GET", "/2")), ["1", "2"])
      assert.deepStrictEqual(
        heads.map((head) => head.split(" ")[1]),
        ["/1", "/2", "/2"]
      )
      assert.strictEqual(connected, 2)
    }).pipe(Effect.provide(layer({ dialer: targets })))
  })

  it.effect("that one client alone uses loses no part of a body, and no request is made twice", () => {
    const { targets, heads } = numbered((connection, request, peer) => {
      if (request === 1) return ok(String(connection))
      peer.duplex.destroy()
      return undefined
    })
    const fields = ["Host: a", "Transfer-Encoding: chunked"]
    const post = message(["POST http://target.example/ HTTP/1.1", ...fields], "2\r\nhi\r\n0\r\n\r\n")
    return Effect.gen(function* () {
      const client = yield* connect
      yield* client.send(ask("GET", "/", "Authorization: NTLM TlRMTVNTUAAB"))
      yield* receive(client)
      yield* settled
      yield* client.send(post)
      assert.strictEqual((yield* receive(client)).status, 502)
      assert.lengthOf(heads, 2)
    }).pipe(Effect.provide(layer({ dialer: targets })))
  })

  it.effect("is not kept if the response says so, ends with the connection, or has bytes behind it", () => {
    const answers = [
      message(["HTTP/1.1 200 OK", "Content-Length: 1", "Connection: close"], "1"),
      message(["HTTP/1.0 200 OK", "Content-Length: 1"], "2"),
      message(["HTTP/1.1 200 OK", "Content-Length: 1"], "3HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
      ok("4")
    ]
    const { targets } = numbered((connection) => answers[connection - 1])
    return Effect.gen(function* () {
      const all = yield* bodies(...answers.map(() => ask("GET", "/")))
      assert.deepStrictEqual(all, ["1", "2", "3", "4"])
    }).pipe(Effect.provide(layer({ dialer: targets })))
  })

  it.effect.each(["NTLM TlRMTVNTUAAB", "negotiate YII=", "Kerberos YII="])(
    "that a client has authenticated by %s is used for this client's connection only",
    (credentials) => {
      const { targets, connections } = numbered()
      const ntlm = ask("GET", "/", `Authorization: ${credentials}`)
      return Effect.gen(function* () {
        const client = yield* connect
        const next = Effect.fnUntraced(function* (request: Uint8Array) {
          yield* client.send(request)
          const { body } = yield* receive(client)
          yield* settled
          return body
        })
        assert.strictEqual(yield* next(ntlm), "1")
        assert.deepStrictEqual(yield* bodies(ask("GET", "/"), ntlm, ask("GET", "/")), ["2", "2", "2"])
        const post = message(["POST http://target.example/ HTTP/1.1", "Host: a", "Content-Length: 2"], "hi")
        assert.strictEqual(yield* next(post), "1")
        assert.strictEqual(yield* next(ask("GET", "/")), "1")
        yield* client.end
        assert.strictEqual(yield* connections[0]!.ending, "reset")
      }).pipe(Effect.provide(layer({ dialer: targets })))
    }
  )
})
